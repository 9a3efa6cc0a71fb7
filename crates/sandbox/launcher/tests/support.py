"""An emulator for the tests: started once, as the sandbox starts it, and asked by botocore as any account.

Each test takes accounts and names of its own, so none sees what another left.
"""

import atexit
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import botocore.config
import botocore.exceptions
import botocore.session

LAUNCHER = Path(__file__).resolve().parent.parent
MANAGEMENT = "100000000001"
# An organisation that is there from the start: its id, its management account, a member.
FOUNDED = ("o-therefromstart", "300000000001", "300000000002")
REGION, OTHER_REGION = "us-east-1", "eu-west-1"
START_SECONDS = 120
# Longer than the slowest machine needs for what the emulator does on its own threads.
PATIENCE_SECONDS = 60

_running = None
# Reading a service's model takes botocore a tenth of a second.
_session = botocore.session.Session()
_numbers = itertools.count(1)


class Emulator:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="cordon-emulator-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.log = Path(self.folder.name, "log")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.folder.name,
            "TMPDIR": self.folder.name,
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "AUTH": "true",
            "CLOUDTRAIL_RECORDING": "1",
            "MINISTACK_ACCOUNT_ID": MANAGEMENT,
            "CORDON_ORGANISATION": ",".join(FOUNDED),
            "AWS_ENDPOINT_URL": self.endpoint,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, str(LAUNCHER / "guard.py"), "emulator", str(Path(self.folder.name, "sessions"))]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log,
                                            cwd=self.folder.name, start_new_session=True)
        atexit.register(self.stop)
        self._wait()

    def _wait(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError(f"the emulator did not start:\n{self.log.read_text(errors='replace')[-4000:]}")

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def stop(self):
        # It ends with its standard input, and every process of its group with it.
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(timeout=30)
        self.folder.cleanup()


def emulator():
    global _running
    _running = _running or Emulator()
    return _running


def number():
    return next(_numbers)


def new_account():
    """The id of an account that nobody has used."""
    return f"2{number():011d}"


class Caller:
    """Whoever holds these credentials, as clients of botocore. Without any it is the root user of `account`."""

    def __init__(self, account, credentials=None, region=REGION):
        self.account, self.credentials, self.region = account, credentials, region
        self._clients = {}

    def client(self, service, region=None):
        key = (service, region or self.region)
        if key not in self._clients:
            self._clients[key] = self._client(*key)
        return self._clients[key]

    def _client(self, service, region):
        given = self.credentials or {"AccessKeyId": self.account, "SecretAccessKey": "test"}
        return _session.create_client(
            service,
            region_name=region,
            endpoint_url=emulator().endpoint,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given.get("SessionToken"),
            config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )

    def __getattr__(self, service):
        if service.startswith("_"):
            raise AttributeError(service)
        return self.client(service)

    def role(self, name, trust, *statements, **options):
        """Makes a role and gives its ARN."""
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(*trust), **options)
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=policy(*statements))
        return made["Role"]["Arn"]

    def user(self, name, *statements):
        """Makes a user with these rights, and gives whoever holds the key."""
        self.iam.create_user(UserName=name)
        if statements:
            self.iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=policy(*statements))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return Caller(self.account, {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]})

    def assume(self, role, session="test", **options):
        made = self.sts.assume_role(RoleArn=role, RoleSessionName=session, **options)
        return Caller(role.split(":")[4], made["Credentials"])


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource="*", **more):
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def trust(who, condition=None, action="sts:AssumeRole", effect="Allow"):
    statement = {"Effect": effect, "Principal": who, "Action": action}
    return {**statement, "Condition": condition} if condition else statement


FOR_EVENTS = [trust({"Service": "events.amazonaws.com"})]


def member_account():
    """The root user of an account that has just joined the organisation of the management account."""
    account = new_account()
    handshake = Caller(MANAGEMENT).organizations.invite_account_to_organization(Target={"Id": account, "Type": "ACCOUNT"})
    Caller(account).organizations.accept_handshake(HandshakeId=handshake["Handshake"]["Id"])
    return Caller(account)


def organisation_id():
    return Caller(MANAGEMENT).organizations.describe_organization()["Organization"]["Id"]


def make_organisation():
    """Makes the organisation if there is none yet."""
    try:
        Caller(MANAGEMENT).organizations.create_organization(FeatureSet="ALL")
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyInOrganizationException":
            raise


def queue(caller, name, admitted=("events.amazonaws.com",), region=None):
    """A queue that admits these services: its URL and ARN."""
    sqs = caller.client("sqs", region)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:{region or caller.region}:{caller.account}:{name}"
    if admitted:
        document = policy(allow("sqs:SendMessage", arn, Principal={"Service": list(admitted)}))
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    return url, arn


def messages(caller, url, region=None):
    """All messages of a queue, once: `(body, attributes)`."""
    sqs, found = caller.client("sqs", region), []
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get("Messages"):
        for message in got:
            attributes = {key: value["StringValue"] for key, value in message.get("MessageAttributes", {}).items()}
            found.append((json.loads(message["Body"]), attributes))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def eventually(what):
    """What a function gives once that is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := what()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen")
        time.sleep(0.05)
    return found


class Case(unittest.TestCase):
    def refused(self, code, call, **arguments):
        """That a call is refused with this code; gives the message."""
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertEqual(code, error["Code"], error)
        return error["Message"]
