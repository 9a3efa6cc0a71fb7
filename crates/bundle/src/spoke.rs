//! Everything that the other accounts of an organisation get: what forwards events to the hub, and the roles that the hub assumes.
//!
//! The policies come from [`cordon_respond::powers`] and the scope of `cordon.toml`, the patterns from the rules; nothing is
//! written twice. They are handed over in two forms: in the manifest, for Terraform, and as two CloudFormation templates for
//! StackSets, one with the roles (once an account) and one with the rules (once an account and region). The rules need the roles,
//! so that their stack set depends on the other.
//!
//! What a spoke is given names the hub by its account, and never an account of the organisation: a new account is one like every
//! other.
//!
//! Sources: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html>,
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html>.

use std::collections::BTreeMap;

use cordon_core::Config;
use cordon_respond::powers::{Power, Territory, policy};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::package::{ROLES_TEMPLATE, RULES_TEMPLATE};

/// The path of every role of Cordon's in a spoke. A control policy protects it as a whole.
pub const ROLE_PATH: &str = "/cordon/";

/// The largest template that CloudFormation takes by an address. Source: "CloudFormation quotas", user guide.
const TEMPLATE_MAX_BYTES: usize = 1_000_000;
/// The longest of all inline policies of a role together. Source: "IAM and AWS STS quotas", IAM user guide.
const ROLE_POLICY_MAX_CHARS: usize = 10_240;
/// The longest pattern. Source: "Amazon EventBridge quotas", user guide.
const PATTERN_MAX_CHARS: usize = 2_048;
/// The most rules of one bus. Source: as above.
const RULES_MAX: usize = 300;

/// Why an account could not be given its part.
#[derive(Debug, thiserror::Error)]
pub enum SpokeError {
    /// A role's policy is larger than IAM takes.
    #[error(
        "the policy of the role `{role}` has {chars} characters and IAM takes {ROLE_POLICY_MAX_CHARS}: let scope and never_touch of \
         cordon.toml have fewer patterns, each with a `*` in the name"
    )]
    PolicyTooLarge {
        /// The role's word, such as `containment`.
        role: &'static str,
        /// The characters that count: all but white space.
        chars: usize,
    },
    /// There are more patterns than a bus may have rules.
    #[error(
        "the rules need {0} patterns and a bus takes {RULES_MAX} rules: disable rules, or raise the quota and split them by hand"
    )]
    TooManyRules(usize),
    /// A pattern is longer than EventBridge takes.
    #[error("a pattern has {0} characters and EventBridge takes {PATTERN_MAX_CHARS}")]
    PatternTooLong(usize),
    /// A template is larger than CloudFormation takes.
    #[error("the template `{name}` has {bytes} bytes and CloudFormation takes {TEMPLATE_MAX_BYTES}")]
    TemplateTooLarge {
        /// The file's name.
        name: &'static str,
        /// Its size.
        bytes: usize,
    },
}

/// The part of the manifest that is about other accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoke {
    /// The path of the roles, such as `/cordon/`.
    pub role_path: String,
    /// The policy of each role, by the role's word, with `{partition}` and `{account}` where those of the account belong.
    pub policies: BTreeMap<String, Value>,
    /// The hub's functions whose roles may assume each role, by the role's word.
    pub holders: BTreeMap<String, Vec<String>>,
}

/// The functions of the hub that assume a role.
fn holders(power: Power) -> &'static [&'static str] {
    match power {
        Power::Reader => &["check-exceptions", "classify"],
        Power::Containment => &["remediate"],
        Power::Documents => &["make-documents"],
        Power::Restoration => &["make-restoration"],
    }
}

impl Spoke {
    /// The roles for a `cordon.toml`.
    ///
    /// # Errors
    /// [`SpokeError::PolicyTooLarge`].
    pub fn of(config: &Config) -> Result<Self, SpokeError> {
        let tag_keys: Vec<String> = [&config.exceptions.tag_key, &config.exceptions.until_key].into_iter().cloned().collect();
        let territory = Territory {
            principals: &config.scope.principals,
            policies: &config.scope.policies,
            trails: &config.scope.trails,
            never: &config.scope.never_touch,
            tag_keys: &tag_keys,
            own_path: ROLE_PATH,
        };
        let mut policies = BTreeMap::new();
        for power in Power::ALL {
            let policy = policy(power, &territory);
            let chars = policy.to_string().chars().filter(|c| !c.is_whitespace()).count();
            if chars > ROLE_POLICY_MAX_CHARS {
                return Err(SpokeError::PolicyTooLarge { role: power.name(), chars });
            }
            policies.insert(power.name().to_owned(), policy);
        }
        let holders = Power::ALL
            .into_iter()
            .map(|power| (power.name().to_owned(), holders(power).iter().map(|name| (*name).to_owned()).collect()));
        Ok(Self { role_path: ROLE_PATH.to_owned(), policies, holders: holders.collect() })
    }

    /// The template with the roles, for one Region of each account.
    ///
    /// # Errors
    /// [`SpokeError::TemplateTooLarge`].
    pub fn roles_template(&self) -> Result<String, SpokeError> {
        let mut resources = Map::new();
        for (word, policy) in &self.policies {
            let holders: Vec<Value> = self
                .holders
                .get(word)
                .into_iter()
                .flatten()
                .map(|function| sub(&format!("arn:${{AWS::Partition}}:iam::${{HubAccount}}:role/${{Name}}-{function}")))
                .collect();
            let hub = json!({"AWS": sub("arn:${AWS::Partition}:iam::${HubAccount}:root")});
            let holders = json!({"aws:PrincipalArn": holders});
            // An incident's id; the reader also looks before there is an incident.
            let sources = if word == Power::Reader.name() { json!(["inc-*", "probe-*"]) } else { json!(["inc-*"]) };
            // STS does not promise the external id beside the request to set a source identity, so that has a statement of its own.
            let trust = json!({"Version": "2012-10-17", "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": hub,
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "ArnEquals": holders,
                        "StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}, "aws:PrincipalOrgID": {"Ref": "OrganizationId"}},
                        "StringLike": {"sts:SourceIdentity": sources},
                    },
                },
                {
                    "Effect": "Allow",
                    "Principal": hub,
                    "Action": "sts:SetSourceIdentity",
                    "Condition": {
                        "ArnEquals": holders,
                        "StringEquals": {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}},
                        "StringLike": {"sts:SourceIdentity": sources},
                    },
                },
            ]});
            let mut role = role(&format!("${{Name}}-{word}"), &description(word), trust, word, &templated(policy));
            if word != Power::Reader.name()
                && let Some(fields) = role.as_object_mut()
            {
                fields.insert("Condition".to_owned(), json!(MAY_CHANGE));
            }
            resources.insert(format!("Role{}", capitalized(word)), role);
        }
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
                "ArnLike": {"aws:SourceArn": sub("arn:${AWS::Partition}:events:*:${AWS::AccountId}:rule/${Name}-forward-*")},
            },
        }]});
        let forward = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "events:PutEvents", "Resource": {"Ref": "HubBus"}},
        ]});
        resources.insert(
            "RoleForwarder".to_owned(),
            role("${Name}-forwarder", "Lets EventBridge hand this account's events to Cordon's hub.", trust, "forward", &forward),
        );
        let parameters = [
            NAME,
            HUB_BUS,
            ("HubAccount", "The account in which Cordon runs.", Some("^[0-9]{12}$"), None),
            ("OrganizationId", "The organization's id, such as o-a1b2c3d4e5.", Some("^o-[a-z0-9]{10,32}$"), None),
            (
                "ExternalId",
                "The word that the hub gives when it assumes a role here, the same as the hub's.",
                Some("^[A-Za-z0-9+=,.@:/_-]{8,128}$"),
                None,
            ),
            (
                "Enforcement",
                "Whether Cordon may change anything here. Without it there are the reader and the forwarder alone.",
                Some("^(true|false)$"),
                Some("false"),
            ),
        ];
        let conditions = json!({MAY_CHANGE: {"Fn::Equals": [{"Ref": "Enforcement"}, "true"]}});
        template(ROLES_TEMPLATE, "Cordon: the roles of one account. In one Region.", &parameters, &conditions, resources)
    }
}

/// The template that forwards events, for each Region of each account. A pattern that changes is a new rule, which CloudFormation
/// makes before it takes the old one away: nothing passes unseen meanwhile.
///
/// # Errors
/// [`SpokeError::TooManyRules`], [`SpokeError::PatternTooLong`], [`SpokeError::TemplateTooLarge`].
pub fn rules_template(event_patterns: &[Value]) -> Result<String, SpokeError> {
    if event_patterns.len() > RULES_MAX {
        return Err(SpokeError::TooManyRules(event_patterns.len()));
    }
    let mut resources = Map::new();
    for pattern in event_patterns.iter().map(from_aws) {
        let text = pattern.to_string();
        if text.chars().count() > PATTERN_MAX_CHARS {
            return Err(SpokeError::PatternTooLong(text.chars().count()));
        }
        let digest = hex::encode(Sha256::digest(&text));
        let hash: String = digest.chars().take(12).collect();
        let rule = json!({"Type": "AWS::Events::Rule", "Properties": {
            "Name": sub(&format!("${{Name}}-forward-{hash}")),
            "Description": "Events that a rule of Cordon can match, on their way to Cordon's hub.",
            "State": {"Ref": "RuleState"},
            "EventPattern": pattern,
            "Targets": [{
                "Id": "hub",
                "Arn": {"Ref": "HubBus"},
                "RoleArn": sub(&format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role{ROLE_PATH}${{Name}}-forwarder")),
                // A permission that is missing is not tried again.
                "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 60},
                "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Undelivered", "Arn"]}},
            }],
        }});
        resources.insert(format!("Forward{hash}"), rule);
    }
    resources.insert(
        "Undelivered".to_owned(),
        json!({"Type": "AWS::SQS::Queue", "Properties": {
            "QueueName": sub("${Name}-undelivered-events"), "MessageRetentionPeriod": 1_209_600, "SqsManagedSseEnabled": true,
        }}),
    );
    resources.insert(
        "UndeliveredPolicy".to_owned(),
        json!({"Type": "AWS::SQS::QueuePolicy", "Properties": {
            "Queues": [{"Ref": "Undelivered"}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Sid": "RulesOfCordonMaySend",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": {"Fn::GetAtt": ["Undelivered", "Arn"]},
                "Condition": {"ArnLike": {
                    "aws:SourceArn": sub("arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${Name}-forward-*"),
                }},
            }]},
        }}),
    );
    let state = (
        "RuleState",
        "ENABLED misses read-only calls; ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS gets them too, at a much higher volume.",
        Some("^(ENABLED|DISABLED|ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS)$"),
        Some("ENABLED"),
    );
    resources.insert(
        "UndeliveredAlarm".to_owned(),
        json!({"Type": "AWS::CloudWatch::Alarm", "Properties": {
            "AlarmName": sub("${Name}-undelivered-events"),
            "AlarmDescription": "An event did not reach Cordon's hub. The message in the queue says why (ERROR_CODE) and which record it is.",
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Undelivered", "QueueName"]}}],
            "Statistic": "Maximum",
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0,
            "Period": 60,
            "EvaluationPeriods": 1,
            "TreatMissingData": "notBreaching",
            "AlarmActions": {"Fn::If": [HAS_TOPIC, [{"Ref": "AlarmTopic"}], []]},
        }}),
    );
    let topic = ("AlarmTopic", "A topic of this Region that hears of an event that was not forwarded.", None, Some(""));
    let conditions = json!({HAS_TOPIC: {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopic"}, ""]}]}});
    let parameters = [NAME, HUB_BUS, state, topic];
    template(RULES_TEMPLATE, "Cordon: what one Region of an account forwards.", &parameters, &conditions, resources)
}

/// A pattern that only AWS's own events fit.
fn from_aws(pattern: &Value) -> Value {
    let mut pattern = pattern.clone();
    if let Some(fields) = pattern.as_object_mut() {
        fields.entry("source").or_insert_with(|| json!([{"prefix": "aws."}]));
    }
    pattern
}

/// The condition of the roles that change something.
const MAY_CHANGE: &str = "MayChange";
/// The condition of an alarm that somebody hears.
const HAS_TOPIC: &str = "HasAlarmTopic";

/// Name, description, allowed pattern, default.
type Parameter = (&'static str, &'static str, Option<&'static str>, Option<&'static str>);

const NAME: Parameter =
    ("Name", "The hub's name, the prefix of every name here.", Some("^[a-z][a-z0-9-]{1,23}$"), Some("cordon"));
const HUB_BUS: Parameter =
    ("HubBus", "The ARN of the hub's event bus.", Some("^arn:[^:]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/.+$"), None);

fn template(
    name: &'static str,
    description: &str,
    parameters: &[Parameter],
    conditions: &Value,
    resources: Map<String, Value>,
) -> Result<String, SpokeError> {
    let parameters: Map<String, Value> = parameters
        .iter()
        .map(|(name, description, allowed, default)| {
            let mut fields =
                Map::from_iter([("Type".to_owned(), json!("String")), ("Description".to_owned(), json!(description))]);
            fields.extend(allowed.map(|allowed| ("AllowedPattern".to_owned(), json!(allowed))));
            fields.extend(default.map(|default| ("Default".to_owned(), json!(default))));
            ((*name).to_owned(), Value::Object(fields))
        })
        .collect();
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description,
        "Metadata": {"CordonVersion": env!("CARGO_PKG_VERSION")},
        "Parameters": parameters,
        "Conditions": conditions,
        "Resources": resources,
    });
    let text = format!("{template:#}\n");
    if text.len() > TEMPLATE_MAX_BYTES {
        return Err(SpokeError::TemplateTooLarge { name, bytes: text.len() });
    }
    Ok(text)
}

fn role(name: &str, description: &str, trust: Value, policy_name: &str, policy: &Value) -> Value {
    json!({"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": sub(name),
        "Path": ROLE_PATH,
        "Description": description,
        "MaxSessionDuration": 3600,
        "AssumeRolePolicyDocument": trust,
        "Policies": [{"PolicyName": policy_name, "PolicyDocument": policy}],
    }})
}

fn description(word: &str) -> String {
    let does = match word {
        "reader" => "reads users, roles, groups, policies and trails",
        "containment" => "takes rights away with AWS's own deny and by switching keys off",
        "documents" => "writes inline policies that deny",
        _ => "gives a former state back",
    };
    format!("Cordon's hub {does} by it.")
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn sub(text: &str) -> Value {
    json!({"Fn::Sub": text})
}

/// A policy with CloudFormation's own words for the partition and the account.
fn templated(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("{partition}") || text.contains("{account}") => {
            // `${` would begin a variable: IAM's own policy variables are none of CloudFormation's.
            let text = text.replace("${", "${!");
            sub(&text.replace("{partition}", "${AWS::Partition}").replace("{account}", "${AWS::AccountId}"))
        }
        Value::Array(values) => values.iter().map(templated).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), templated(value))).collect(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoke() -> Spoke {
        Spoke::of(&Config::default()).unwrap()
    }

    #[test]
    fn a_role_is_assumed_by_the_hubs_function_for_it_and_by_nobody_else() {
        let template: Value = serde_json::from_str(&spoke().roles_template().unwrap()).unwrap();
        for (role, functions) in [
            ("RoleReader", vec!["check-exceptions", "classify"]),
            ("RoleContainment", vec!["remediate"]),
            ("RoleDocuments", vec!["make-documents"]),
            ("RoleRestoration", vec!["make-restoration"]),
        ] {
            let trust = &template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
            let holders: Vec<&str> = trust["Condition"]["ArnEquals"]["aws:PrincipalArn"]
                .as_array()
                .unwrap()
                .iter()
                .map(|arn| arn["Fn::Sub"].as_str().unwrap())
                .collect();
            let expected: Vec<String> = functions
                .iter()
                .map(|function| format!("arn:${{AWS::Partition}}:iam::${{HubAccount}}:role/${{Name}}-{function}"))
                .collect();
            assert_eq!(holders, expected, "{role}");
            assert_eq!(trust["Condition"]["StringEquals"]["sts:ExternalId"], json!({"Ref": "ExternalId"}), "{role}");
            assert_eq!(trust["Condition"]["StringEquals"]["aws:PrincipalOrgID"], json!({"Ref": "OrganizationId"}), "{role}");
            let (sources, condition) = match role {
                "RoleReader" => (json!(["inc-*", "probe-*"]), Value::Null),
                _ => (json!(["inc-*"]), json!("MayChange")),
            };
            assert_eq!(trust["Condition"]["StringLike"]["sts:SourceIdentity"], sources, "{role}");
            assert_eq!(template["Resources"][role]["Condition"], condition, "{role}");
        }
    }

    #[test]
    fn nothing_in_a_template_is_left_for_terraform_and_no_account_is_named() {
        let rules = rules_template(&[json!({"detail": {"eventName": ["CreateUser"]}})]).unwrap();
        for text in [spoke().roles_template().unwrap(), rules] {
            assert!(!text.contains("{partition}") && !text.contains("{account}"), "{text}");
            let has_account = text.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() == 12);
            assert!(!has_account, "{text}");
        }
    }

    #[test]
    fn a_rule_is_named_by_its_pattern_and_takes_aws_events_alone() {
        let one = json!({"detail": {"eventName": ["CreateUser"]}});
        let notice = json!({"source": ["aws.health"], "detail-type": ["AWS Health Event"]});
        let rules = |patterns: &[Value]| -> Map<String, Value> {
            let template: Value = serde_json::from_str(&rules_template(patterns).unwrap()).unwrap();
            template["Resources"].as_object().unwrap().clone()
        };
        let (both, swapped) = (rules(&[one.clone(), notice.clone()]), rules(&[notice, one]));
        assert_eq!(both, swapped, "the order of the patterns does not make other rules");
        let sources: Vec<&Value> = both
            .values()
            .filter(|resource| resource["Type"] == "AWS::Events::Rule")
            .map(|rule| &rule["Properties"]["EventPattern"]["source"])
            .collect();
        assert_eq!(sources.len(), 2);
        assert!(sources.contains(&&json!([{"prefix": "aws."}])) && sources.contains(&&json!(["aws.health"])));
        let with_input = both.values().any(|rule| rule.to_string().contains("\"Input"));
        assert!(!with_input, "a target in another account takes no transformer");
    }

    #[test]
    fn what_aws_does_not_take_is_refused_with_what_to_do() {
        let many = vec![json!({"detail": {}}); RULES_MAX + 1];
        assert!(rules_template(&many).unwrap_err().to_string().contains("301 patterns"));
        let long = json!({"detail": {"eventName": ["x".repeat(PATTERN_MAX_CHARS)]}});
        assert!(matches!(rules_template(&[long]), Err(SpokeError::PatternTooLong(_))));
        let mut config = Config::default();
        config.scope.principals =
            (0..400).map(|n| cordon_core::pattern::Pattern::new(&format!("arn:aws:iam::*:user/somebody-{n}"))).collect();
        assert!(Spoke::of(&config).unwrap_err().to_string().contains("let scope and never_touch"));
    }
}
