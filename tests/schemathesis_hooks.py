# SPDX-License-Identifier: Apache-2.0
"""What schemathesis is to find wrong in an answer: loaded into it by schemathesis_run.py."""
import os
import re

import schemathesis

# 5xx that are meant: (path, what it says, why).
AS_OPENBAO = "a refusal of what was sent, which OpenBao gives as a 500 with this sentence"
MEANT = [
    (r"/auth/userpass/login/", r"^missing password$", AS_OPENBAO),
    (r"/auth/approle/login$", r"^missing (role_id|secret_id)$", AS_OPENBAO),
    *((where, rf"^1 error occurred:\n\t\* {sentence}", AS_OPENBAO) for where, sentence in (
        (r"/auth/approle/", r"at least one constraint should be enabled on the role"),
        (r"/auth/approle/", r"failed to validate .*: invalid CIDR address: "),
        (r"/auth/approle/", r"failed to verify subset relationship between CIDR blocks"),
        (r"/auth/approle/", r"failed to store secret_id: SecretID is already registered"),
        (r"/auth/approle/", r"role_id already in use"),
        (r"/auth/approle/", r".*accessor"),
        (r"/auth/userpass/", r"bcrypt: password length exceeds 72 bytes"),
        (r"/auth/userpass/", r"username does not exist"),
        (r"/cubbyhole", r"missing (path|data fields)"),
    )),
]


def reason_of(path, error):
    return next((why for where, text, why in MEANT if re.search(where, path) and re.search(text, error)), None)


def is_meant(path, errors):
    """Notes the sentence, too, so that the run can tell what was let pass."""
    if not errors or not all(reason_of(path, error) for error in errors):
        return False
    with open(os.environ["COFFER_MEANT_LOG"], "a", encoding="utf-8") as log:
        for error in errors:
            log.write(f"{reason_of(path, error)}: {error!r:.100}\n")
    return True


@schemathesis.check
def no_fault_of_the_server(_ctx, response, case):
    if response.status_code < 500:
        return
    try:
        errors = response.json().get("errors", [])
    except ValueError:
        errors = []
    if not is_meant(case.formatted_path, errors):
        raise AssertionError(f"{response.status_code} {errors}")


@schemathesis.check
def no_answer_without_headers(_ctx, response, _case):
    if response.headers.get("cache-control") != ["no-store"]:
        raise AssertionError(f"it may be kept by a cache: {response.headers}")
