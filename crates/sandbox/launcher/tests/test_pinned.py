"""That another emulator is noticed, and said so in words."""

import sys
import unittest

from support import LAUNCHER

sys.path.insert(0, str(LAUNCHER))

from organisation import pinned  # noqa: E402


class Pinned(unittest.TestCase):
    def test_the_emulator_is_the_one_that_this_was_written_for(self):
        self.assertEqual(list(pinned.differences()), [])
        pinned.check()

    def test_every_function_that_is_replaced_is_pinned(self):
        # `install` replaces attributes by these names.
        replaced = {
            "core.iam_actions": ["extract_resource_arn", "request_tag_context"],
            "core.iam_evaluator": [
                "enforce", "evaluate_trust_policy", "_principal_keys", "_principal_org_id", "_resolve_condition_key",
            ],
            "services.eventbridge": ["_invoke_target", "_put_events", "_put_permission", "_put_targets"],
            "services.sts": ["handle_request", "register_session"],
        }
        for module, names in replaced.items():
            self.assertLessEqual(set(names), set(pinned.FUNCTIONS[module]))

    def test_a_change_is_named_with_what_to_do(self):
        changed = {"services.eventbridge": {"_put_events": "0" * 16, "_no_such_function": "0" * 16}}
        with self.assertRaises(pinned.EmulatorChanged) as caught:
            pinned.check(changed)
        text = str(caught.exception)
        self.assertIn("ministack.services.eventbridge._put_events reads otherwise than before (now ", text)
        self.assertIn("ministack.services.eventbridge has no _no_such_function any more", text)
        self.assertIn("python -m organisation.pinned", text)

    def test_another_version_is_named(self):
        said = ["the emulator has version 1.5.34, and this was written for 1.5.33"]
        self.assertEqual(list(pinned.differences({}, "1.5.34")), said)

    def test_the_requirements_name_the_version(self):
        self.assertIn(f"ministack=={pinned.VERSION} ", (LAUNCHER.parent / "requirements.txt").read_text())
