"""An S3 server on loopback, and a proxy that cuts connections in the middle."""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from urllib.parse import urlsplit

import boto3
import requests
from moto.server import ThreadedMotoServer

KEY, SECRET = "AKIAOFTHETESTS", "not-for-any-log-or-file"


class ObjectStorage:
    """The server, and what a process needs in its environment to use it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def objects(self, bucket: str, prefix: str) -> dict[str, bytes]:
        """What is stored below a prefix."""
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {
            key.removeprefix(prefix): s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in keys
        }

    @contextmanager
    def counting(self) -> Iterator[list[str]]:
        """Collect the requests that are made: method and path with query."""
        requests: list[str] = []
        handler = logging.Handler()
        # The server's words begin with the client and the time.
        handler.emit = lambda record: requests.append(record.getMessage().partition('"')[2])
        logger = logging.getLogger("werkzeug")
        level = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        try:
            yield requests
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)

    @contextmanager
    def only_for_a_reader(self) -> Iterator[dict[str, str]]:
        """Have the server ask for rights, and give an environment that may only read."""
        iam = self.client("iam")
        name = f"reader-{token_hex(4)}"
        iam.create_user(UserName=name)
        may = {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        iam.put_user_policy(UserName=name, PolicyName="read", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        own = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        requests.post(f"{self.url}/moto-api/reset-auth", data=b"0", timeout=10)
        try:
            yield self.environment | own
        finally:
            requests.post(f"{self.url}/moto-api/reset-auth", data=b"inf", timeout=10)


@contextmanager
def serving() -> Iterator[ObjectStorage]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    # The server is in this process, and would else look for a proxy and for accounts.
    before = {name: os.environ.get(name) for name in ("MOTO_EC2_LOAD_DEFAULT_AMIS",)}
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield ObjectStorage(f"http://{host}:{port}")
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)


class CuttingProxy:
    """Passes requests on. Of the next `cuts` of a method, half goes through, then nothing."""

    def __init__(self, url: str) -> None:
        self.cuts: dict[str, int] = {}
        self.done = 0
        proxy, upstream = self, urlsplit(url).netloc

        class Handler(BaseHTTPRequestHandler):
            # Clients ask before they send a body, and 1.0 has no answer to that.
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                cut = length > 0 or self.command == "GET"
                cut = cut and proxy.cuts.get(self.command, 0) > 0 and "?" not in self.path
                if cut:
                    proxy.cuts[self.command] -= 1
                    proxy.done += 1
                if cut and self.command == "PUT":
                    self.rfile.read(length // 2)
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                body = self.rfile.read(length)
                with_upstream = http.client.HTTPConnection(upstream)
                with_upstream.request(self.command, self.path, body, dict(self.headers))
                answer = with_upstream.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if cut else content)
                self.close_connection = True

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = pass_on

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
