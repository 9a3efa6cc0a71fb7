"""Checks findings against what is published about their formats.

Reads JSON lines {"name", "format": "ocsf" | "asff", "finding"} from the file that it is given, prints a line for each fault,
and exits with 1 if there is one. OCSF: the class as schema.ocsf.io exports it, with the profiles that the finding names, and
what an export cannot say (type_uid, names beside numbers). ASFF: botocore's own validator, and from the same model what that
leaves out: patterns, enumerations, and the limits that the descriptions state.
"""

import json
import re
import sys
from datetime import datetime

import botocore.session
import botocore.validate
import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

CLASS = "detection_finding"
# What findings are updated with and belongs to the users of Security Hub.
NOT_FOR_PROVIDERS = {"Note", "UserDefinedFields", "VerificationState", "Workflow", "WorkflowState", "Compliance"}
CATEGORIES = {
    "TTPs": {
        "Initial Access", "Execution", "Persistence", "Privilege Escalation", "Defense Evasion", "Credential Access",
        "Discovery", "Lateral Movement", "Collection", "Command and Control",
    },
    "Unusual Behaviors": {"Application", "Network Flow", "IP address", "User", "VM", "Container", "Serverless", "Process",
                          "Database", "Data"},
}
RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")


class Ocsf:
    def __init__(self):
        self.schemas = {}

    def schema(self, version, profiles):
        key = (version, tuple(profiles))
        if key not in self.schemas:
            published = get_ocsf_schema(version)
            schema = OcsfJsonSchemaEmbedded(published).get_class_schema(CLASS, list(profiles))
            validator = jsonschema.Draft202012Validator(schema)
            self.schemas[key] = (published, schema, validator)
        return self.schemas[key]

    def faults(self, finding):
        metadata = finding["metadata"]
        published, schema, validator = self.schema(metadata["version"], metadata.get("profiles", []))
        for error in validator.iter_errors(finding):
            yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
        yield from self.deprecated(schema, schema, finding, "")
        yield from self.captions(published, published["classes"][CLASS], finding, "")
        if finding["type_uid"] != finding["class_uid"] * 100 + finding["activity_id"]:
            yield "type_uid is not class_uid * 100 + activity_id"
        for observable in finding.get("observables", []):
            if follow(finding, observable["name"]) is None:
                yield f"the observable {observable['name']} points at nothing"
        if len(json.dumps(finding)) > 256 * 1024 - 2048:
            yield "larger than EventBridge takes"

    def deprecated(self, root, schema, value, path):
        while "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        if isinstance(value, list):
            for item in value:
                yield from self.deprecated(root, schema.get("items", {}), item, path)
        if isinstance(value, dict):
            for key, child in value.items():
                of_child = schema.get("properties", {}).get(key, {})
                if of_child.get("deprecated"):
                    yield f"{path}/{key} is deprecated"
                yield from self.deprecated(root, of_child, child, f"{path}/{key}")

    def captions(self, published, definition, value, path):
        """A name beside a number has to be the number's own, unless the number says `Other`."""
        for key, child in value.items():
            attribute = definition["attributes"].get(key)
            if attribute is None:
                continue
            sibling = attribute.get("sibling")
            names = attribute.get("enum") or {}
            if str(child) in names and sibling in value and child != 99:
                caption = names[str(child)]["caption"]
                if value[sibling] != caption:
                    yield f"{path}/{sibling} is {value[sibling]!r}, and {key} {child} means {caption!r}"
            nested = published["objects"].get(attribute.get("object_type"))
            for item in child if isinstance(child, list) else [child]:
                if nested and isinstance(item, dict):
                    yield from self.captions(published, nested, item, f"{path}/{key}")


def follow(value, name):
    for part in re.findall(r"[^.\[\]]+", name):
        try:
            value = value[int(part)] if part.isdigit() else value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


class Asff:
    def __init__(self):
        self.model = botocore.session.Session().get_service_model("securityhub")
        self.request = self.model.operation_model("BatchImportFindings").input_shape
        # A model whose descriptions were stripped would state no limit, and the check would pass everything.
        title = self.model.shape_for("AwsSecurityFinding").members["Title"]
        assert limits(title)["max"] == 256, "botocore's model no longer states the limits"

    def faults(self, finding):
        request = {"Findings": [finding]}
        report = botocore.validate.ParamValidator().validate(request, self.request)
        if report.has_errors():
            yield report.generate_report()
        yield from self.walk(self.request, request, "")
        for key in NOT_FOR_PROVIDERS & finding.keys():
            yield f"{key} is for the users of Security Hub"
        for key in ("CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt"):
            if not RFC3339.match(finding[key]):
                yield f"{key} is no time: {finding[key]}"
            datetime.fromisoformat(finding[key].replace("Z", "+00:00"))
        account, region = finding["AwsAccountId"], finding["ProductArn"].split(":")[3]
        if finding["ProductArn"] != f"arn:aws:securityhub:{region}:{account}:product/{account}/default":
            yield f"ProductArn is not the default one of the account: {finding['ProductArn']}"
        if finding["SchemaVersion"] != "2018-10-08":
            yield "SchemaVersion"
        types = finding["FindingProviderFields"]["Types"]
        for name in types + finding.get("Types", []):
            namespace, category = name.split("/")[:2]
            if category not in CATEGORIES.get(namespace, ()):
                yield f"{name} is not in the taxonomy"
        if not finding["FindingProviderFields"]["Severity"].get("Label"):
            yield "no severity"
        if len(json.dumps(finding)) > 240 * 1024:
            yield "larger than Security Hub takes"

    def walk(self, shape, value, path):
        if shape.type_name == "structure":
            for key, child in value.items():
                member = shape.members[key]
                yield from within(limits(member), child, f"{path}.{key}")
                yield from self.walk(member, child, f"{path}.{key}")
        elif shape.type_name == "list":
            for item in value:
                yield from self.walk(shape.member, item, path + "[]")
        elif shape.type_name == "map":
            for key, child in value.items():
                yield from self.walk(shape.key, key, path + ".key")
                yield from self.walk(shape.value, child, f"{path}.{key}")
        elif shape.type_name == "string":
            pattern, names = shape.metadata.get("pattern"), shape.metadata.get("enum")
            if pattern and not re.fullmatch(pattern, value):
                yield f"{path} does not match {pattern}: {value!r}"
            if names and value not in names:
                yield f"{path} is {value!r}, none of {names}"


def limits(member):
    """What a member's description says of its length, its number of items, or its pairs."""
    text = re.sub("<[^>]+>", "", member.documentation or "")
    found = {}
    if most := re.search(r"Maximum length of (\d+)|Maximum of (\d+) length|Length Constraints: (\d+)\b", text):
        found["max"] = int(next(group for group in most.groups() if group))
    if items := re.search(r"Maximum number of (\d+) items", text):
        found["items"] = int(items.group(1))
    if least := re.search(r"Minimum number of (\d+) item", text):
        found["least"] = int(least.group(1))
    pairs = re.search(r"up to (\d+) key-value pairs.*key can contain up to (\d+).*value can contain up to (\d+)", text)
    if pairs:
        found["pairs"], found["key"], found["value"] = map(int, pairs.groups())
    return found


def units(text):
    return len(text.encode("utf-16-le")) // 2


def within(limit, value, path):
    if isinstance(value, str) and units(value) > limit.get("max", 1 << 30):
        yield f"{path} has {units(value)} characters, {limit['max']} are allowed"
    if isinstance(value, list) and not limit.get("least", 0) <= len(value) <= limit.get("items", 1 << 30):
        yield f"{path} has {len(value)} items"
    if isinstance(value, dict) and "pairs" in limit:
        if len(value) > limit["pairs"]:
            yield f"{path} has {len(value)} pairs"
        for key, text in value.items():
            if units(key) > limit["key"] or units(text) > limit["value"]:
                yield f"{path}.{key} is too long"


def main():
    checkers = {"ocsf": Ocsf(), "asff": Asff()}
    failed = checked = 0
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            checked += 1
            for fault in checkers[case["format"]].faults(case["finding"]):
                failed += 1
                print(f"{case['format']} {case['name']}: {fault}")
    print(f"{checked} findings checked, {failed} faults")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
