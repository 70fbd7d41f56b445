# SPDX-License-Identifier: Apache-2.0
"""A local AWS that checks: moto, with signatures verified and IAM policies enforced.

Its first calls are free; they make Coffer's own user. From then on a wrong secret is SignatureDoesNotMatch, an
unknown key InvalidClientTokenId, and what a policy does not allow AccessDenied.
"""
import json
import socket
import sys

import boto3
import botocore.config
import botocore.exceptions
import requests

from . import settings
from .process import Process, wait_for

REGION = "us-east-1"
OWN_USER = "coffer"  # whom Coffer itself acts as
FREE_CALLS = 4

ALLOW_ALL = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["iam:*", "sts:*"], "Resource": "*"}]})


class Moto:
    def __init__(self, folder, host="127.0.0.1"):
        self.host, self.port = host, settings.free_port()
        self.url = f"http://{host}:{self.port}"
        self.process = Process([sys.executable, "-m", "moto.server", "-H", host, "-p", self.port],
                               folder / "moto.log", {"INITIAL_NO_AUTH_ACTION_COUNT": str(FREE_CALLS)})
        wait_for("moto listens", self._listens, timeout=60)
        self._create_own_user()

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def _reset_once(self):
        """An empty AWS with a new key for Coffer."""
        requests.post(f"{self.url}/moto-api/reset", timeout=30).raise_for_status()
        requests.post(f"{self.url}/moto-api/reset-auth", data=str(FREE_CALLS), timeout=30).raise_for_status()
        self._create_own_user()

    def reset(self):
        """Empties it, and makes Coffer's own user anew. A server of an earlier test that still calls may use up a free call:
        then once more."""
        for _ in range(10):
            try:
                return self._reset_once()
            except botocore.exceptions.ClientError as refusal:
                last = refusal
        raise last

    def _create_own_user(self):
        iam = self.client("iam", "free", "free")
        iam.create_user(UserName=OWN_USER)
        iam.put_user_policy(UserName=OWN_USER, PolicyName="all", PolicyDocument=ALLOW_ALL)
        key = iam.create_access_key(UserName=OWN_USER)["AccessKey"]
        self.access_key, self.secret_key = key["AccessKeyId"], key["SecretAccessKey"]
        # The last free call. The key for looking on is another one than Coffer's, which a test may rotate away.
        own = iam.create_access_key(UserName=OWN_USER)["AccessKey"]
        iam = self.client("iam", own["AccessKeyId"], own["SecretAccessKey"])
        iam.create_user(UserName="observer")
        iam.put_user_policy(UserName="observer", PolicyName="all", PolicyDocument=ALLOW_ALL)
        seen = iam.create_access_key(UserName="observer")["AccessKey"]
        iam.delete_access_key(UserName=OWN_USER, AccessKeyId=own["AccessKeyId"])
        self.iam = self.client("iam", seen["AccessKeyId"], seen["SecretAccessKey"])

    def client(self, service, access_key, secret_key, session_token=None):
        """A boto3 client that acts as whoever has that key."""
        once = botocore.config.Config(retries={"max_attempts": 1}, connect_timeout=10, read_timeout=30)
        return boto3.client(service, REGION, endpoint_url=self.url, aws_access_key_id=access_key,
                            aws_secret_access_key=secret_key, aws_session_token=session_token, config=once)

    def root_config(self, **more):
        """For aws/config/root."""
        return {"access_key": self.access_key, "secret_key": self.secret_key, "region": REGION,
                "iam_endpoint": self.url, "sts_endpoint": self.url, **more}

    def users(self):
        """The names of all IAM users but Coffer's own and ours."""
        pages = self.iam.get_paginator("list_users").paginate()
        names = {user["UserName"] for page in pages for user in page["Users"]}
        return names - {OWN_USER, "observer"}

    def may(self, call):
        """Whether AWS lets a call through: "yes", or the code of its refusal."""
        try:
            call()
            return "yes"
        except botocore.exceptions.ClientError as refusal:
            return refusal.response["Error"]["Code"]

    def stop(self):
        self.process.kill()  # it has nothing to end, and takes its time when asked
