"""Line ends of values: which belong to the value, and which to the way that it came."""


def without_line_end(content: bytes) -> bytes:
    r"""Return what came through a pipe without the one line end, \n or \r\n, that programs put behind it."""
    return content.removesuffix(b"\n").removesuffix(b"\r") if content.endswith(b"\n") else content


def is_line_with_end(content: bytes) -> bool:
    """Return whether a value is one line of text with its line end."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return text.endswith("\n") and "\n" not in text[:-1] and text.strip() != ""
