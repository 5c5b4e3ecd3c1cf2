"""How Alibaba Cloud's gateway says no."""

from ..keyvault.answers import Answer


class Refusal(Exception):
    """The service refuses; it carries the answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = refusal(status, code, message)


def refusal(status: int, code: str, message: str) -> Answer:
    """The answer in which a service says no."""
    body = {"RequestId": "00000000-0000-0000-0000-000000000000", "HostId": "double", "Code": code, "Message": message}
    return Answer(status, body)
