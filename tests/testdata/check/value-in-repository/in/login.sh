#!/bin/sh
curl "https://api.example/login?token=for%20the%20test%20of%20prod"
