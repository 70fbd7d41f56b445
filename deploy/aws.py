# SPDX-License-Identifier: Apache-2.0
"""What deploy/quickstart.sh does to the local AWS. Each command prints one line, or one line a name.

    aws.py URL wait           until the local AWS listens
    aws.py URL bootstrap      its first four calls are free: makes the user that Coffer acts as, and prints its key
    aws.py URL try ec2|s3     calls a service: "allowed", or how it was refused
    aws.py URL users          the IAM users there are, but for Coffer's own

The last two act as the owner of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as any program that uses AWS does.
"""
import json
import sys
import time
import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.exceptions

OWN_USER = "coffer"
CALLS = {"ec2": "describe_instances", "s3": "list_buckets"}


def client(url, service, **key):
    once = botocore.config.Config(retries={"max_attempts": 1})
    return boto3.client(service, "us-east-1", endpoint_url=url, config=once, **key)


def wait(url):
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    sys.exit("it does not listen after 60 seconds")


def bootstrap(url):
    iam = client(url, "iam", aws_access_key_id="free", aws_secret_access_key="free")
    iam.create_user(UserName=OWN_USER)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["iam:*", "sts:*"], "Resource": "*"}]}
    iam.put_user_policy(UserName=OWN_USER, PolicyName="coffer", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=OWN_USER)["AccessKey"]
    # The fourth free call: from here on every signature and every policy counts.
    iam.get_user(UserName=OWN_USER)
    print(key["AccessKeyId"], key["SecretAccessKey"])


def try_call(url, service):
    try:
        getattr(client(url, service), CALLS[service])()
        print("allowed")
    except botocore.exceptions.ClientError as refusal:
        print(f"refused ({refusal.response['Error']['Code']})")


def users(url):
    for page in client(url, "iam").get_paginator("list_users").paginate():
        for user in page["Users"]:
            if user["UserName"] != OWN_USER:
                print(user["UserName"])


COMMANDS = {"wait": wait, "bootstrap": bootstrap, "try": try_call, "users": users}

if __name__ == "__main__":
    _, the_url, command, *rest = sys.argv
    COMMANDS[command](the_url, *rest)
