"""Holds this package to the version of the emulator that it was written for.

It replaces functions of the emulator and calls others that are nobody's promise. So each is pinned by the hash of its source, and
the emulator does not start on one that differs: a change there must be read before it is trusted. `python -m organisation.pinned`
prints the table anew for the version that is installed.
"""

import hashlib
import importlib
import inspect
from importlib import metadata

VERSION = "1.5.33"

# What is replaced, and what is called or read, by module.
FUNCTIONS = {
    "core.iam_actions": {
        "eventbridge_resource_arns": "0615291c4d9bbe53",
        "extract_iam_action": "ec476b92d969822b",
        "extract_resource_arn": "82f51700695c62fd",
        "request_tag_context": "d46adb816e024778",
    },
    "core.iam_evaluator": {
        "_account_from_arn": "36f09b846f5d4c53",
        "_action_matches": "b826f2f3c2cb7c7b",
        "_conditions_met": "15b4c24a03e3ff17",
        "_gather_role_policies": "d83d1661b86595ac",
        "_permissions_boundary": "55c125bd0cf5cfe7",
        "_principal_keys": "82f8fd4f1d91e592",
        "_principal_org_id": "a582df4ff025c8bd",
        "_resolve_condition_key": "15e26964cd38f32c",
        "_resource_policy": "dec265f9a9030695",
        "_role_name_from_assumed_arn": "7efb2dd6ac2e1e04",
        "_service_principal_matches": "877a8fc9914bdb89",
        "caller_arn": "8dc478d34f4697cf",
        "enforce": "cf64b1ee5b099c8f",
        "evaluate": "2a5dd6932d1aca6a",
        "evaluate_resource_policy": "e49ce7161ad63e35",
        "evaluate_trust_policy": "4b50aa29ad29fe20",
        "parse_policy_document": "622a4f98a3ecd766",
        "resolve_principal": "b6c6131e24bf22f0",
        "resource_policy_allows": "c40f3dedbd762ae9",
    },
    "services.eventbridge": {
        "_archive_event": "e4ec52f03a327e99",
        "_dispatch_event": "d1bfe064f602d11c",
        "_dispatch_to_event_bus": "fef5c8d488f10ba4",
        "_ensure_default_bus": "4ff4e5ed916aadff",
        "_event_bus_name_from_ref": "c8c5c6a530b76efb",
        "_events_log_list": "4e34b51983540b9f",
        "_invoke_target": "550e304af0809563",
        "_pattern_event_view": "a472224bb7b0d436",
        "_put_events": "ebcda0f38061fc62",
        "_put_permission": "3f19d0b56bca29d2",
        "_put_targets": "9d129f83c189b4c9",
        "_remove_permission": "be9104c52e23e9b8",
        "_rule_key": "b580a78d885d20be",
        "_start_replay": "1ea7cca397a770ae",
        "_target_matches_request_scope": "3cbdf8dc3f9c8f0b",
        "_tick_scheduled_rules": "11eebed44e381089",
        "handle_request": "129d025f18994a77",
    },
    "services.organizations": {
        "_create_account": "292c6faea83beec8",
        "_create_organizational_unit": "145fc9bd35a421cf",
        "_describe_organization": "175c47dbe82ff73a",
        "_ensure_org": "fd160827da973532",
        "_move_account": "76134d4a6755c304",
        "handle_request": "2d0af4ea21d9c722",
    },
    "services.sts": {
        "_caller_identity": "e60acc869c34089c",
        "handle_request": "f2d7c72d01d64950",
        "register_session": "a84ec986ec012146",
    },
    "services.sqs": {
        "_ensure_msg_fields": "9a82c238b3d6b6b4",
        "_queue_by_arn": "b4981875c8186c19",
        "queue_policy_for_arn": "fd2276b9eed5c2b0",
    },
    "services.cloudformation.provisioners": {
        "_eb_rule_create": "f6821fbd1768fb58",
        "_eb_rule_update": "f59ba9950248abd4",
    },
    "services.stepfunctions": {
        "_resolve_state_machine_arn": "e054a309ee54fa0f",
    },
    "services.lambda_svc": {
        "_get_func_record_for_ref": "492b4efe8f903a0f",
    },
}


class EmulatorChanged(RuntimeError):
    """The emulator is another than the one that this package was written for."""


def digest(function):
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]


def differences(functions=FUNCTIONS, version=None):
    """A line for each thing that differs from what was pinned."""
    version = version or metadata.version("ministack")
    if version != VERSION:
        yield f"the emulator has version {version}, and this was written for {VERSION}"
    for module, pins in functions.items():
        loaded = importlib.import_module(f"ministack.{module}")
        for name, pin in pins.items():
            function = getattr(loaded, name, None)
            if function is None:
                yield f"ministack.{module} has no {name} any more"
            elif digest(function) != pin:
                yield f"ministack.{module}.{name} reads otherwise than before (now {digest(function)})"


def check(functions=FUNCTIONS):
    """Refuses another emulator than the pinned one.

    It has to run before anything is replaced.
    """
    found = list(differences(functions))
    if found:
        what = "\n  ".join(found)
        advice = "Read the changed functions, adapt launcher/organisation, then pin anew with `python -m organisation.pinned`."
        raise EmulatorChanged(f"the emulator's internals changed:\n  {what}\n{advice}")


def main():
    for module, pins in FUNCTIONS.items():
        loaded = importlib.import_module(f"ministack.{module}")
        print(f'    "{module}": {{')
        for name in pins:
            print(f'        "{name}": "{digest(getattr(loaded, name))}",')
        print("    },")


if __name__ == "__main__":
    main()
