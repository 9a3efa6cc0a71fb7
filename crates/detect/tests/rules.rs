//! The rules that are shipped: they load, each carries and keeps its cases, and no event that they match is kept from them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail by panicking too")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cordon_core::{ExceptionKind, Gate, Level, Log, RemedyKind};
use cordon_detect::{Enriched, Expected, Rule, RuleBook, RuleSource, cases, check_cases, event_patterns, pattern};
use cordon_testkit::Need;
use serde_json::{Value, json};

/// Rules that match refused calls too, with the reason.
const MATCH_REFUSED_CALLS: [&str; 6] = [
    // Whoever makes a call holds the credentials, whether or not the call is allowed.
    "root-activity",
    "attack-tool-used",
    // These are about the refusal, and say so.
    "console-sign-in-failed",
    "identity-call-refused",
    "organization-leave-refused",
    "root-sign-in-failed",
];

/// Rules about every call that a kind of caller makes.
const ABOUT_ANY_CALL: [&str; 4] = ["root-activity", "iam-write-by-iam-user", "attack-tool-used", "identity-call-refused"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            found.push(path);
        }
    }
}

fn sources(folder: &Path) -> Vec<RuleSource> {
    let mut found = Vec::new();
    files(folder, &mut found);
    found.iter().map(|path| RuleSource::new(path.to_string_lossy(), std::fs::read_to_string(path).unwrap())).collect()
}

#[track_caller]
fn load(folder: &Path) -> RuleBook {
    RuleBook::load(sources(folder)).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    })
}

fn shipped() -> RuleBook {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules"))
}

/// The events of all hits, with the rule that has to match each.
fn all_hits(book: &RuleBook) -> impl Iterator<Item = (&Rule, &Value)> {
    book.rules().iter().flat_map(|rule| {
        let hits = rule.cases.iter().filter(|case| case.expected == Expected::Hit);
        hits.map(move |case| (rule, &case.event))
    })
}

/// Those of CloudTrail.
fn hits(book: &RuleBook) -> impl Iterator<Item = (&str, &Value)> {
    all_hits(book).filter(|(rule, _)| rule.log == Log::CloudTrail).map(|(rule, event)| (rule.id.as_str(), event))
}

/// How many patterns let an event of CloudTrail through.
fn fitting(patterns: &[Value], log: Log, event: &Value) -> usize {
    let delivered = cases::envelope(log, event);
    patterns.iter().filter(|pattern| pattern::matching::matches(&pattern::envelope(pattern), &delivered)).count()
}

fn matched(book: &RuleBook, event: &Value, rule: &str) -> bool {
    book.matching(&Enriched::new(event)).iter().any(|found| found.id.as_str() == rule)
}

#[test]
fn every_rule_keeps_its_cases_and_has_a_hit_and_a_near_miss() {
    let book = shipped();
    let failures: Vec<String> = check_cases(&book).iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for rule in book.rules() {
        assert!(!rule.cases.is_empty(), "`{}` has no cases", rule.id);
    }
    for correlation in book.correlations() {
        assert!(!correlation.series.is_empty(), "`{}` has no cases", correlation.id);
    }
}

#[test]
fn every_rule_tells_a_responder_what_to_know() {
    let mut uuids = BTreeSet::new();
    for rule in shipped().all() {
        let id = rule.id.as_str();
        let stem = Path::new(&rule.path).file_stem().unwrap().to_string_lossy();
        assert_eq!(stem, id, "the file is named for the rule");
        assert!(uuids.insert(rule.sigma_id.clone().unwrap()), "`{id}` has the UUID of another rule");
        assert!(rule.description.len() > 60, "`{id}` does not say why it is dangerous");
        let guide = rule.guide.as_deref().unwrap_or_default();
        assert!(guide.len() > 60, "`{id}` has no guide");
        assert!(
            is_numbered_list(guide),
            "the guide of `{id}` is not a numbered list of steps: `1. …`, continued by three spaces"
        );
        assert!(!rule.falsepositives.is_empty(), "`{id}` names no false positives");
        assert!(!rule.references.is_empty(), "`{id}` has no references");
        assert!(rule.references.iter().all(|reference| reference.starts_with("https://")), "`{id}`");
        assert!(rule.tags.iter().any(|tag| tag.starts_with("attack.t")), "`{id}` names no ATT&CK technique");
        assert_ne!(rule.author, "unknown", "`{id}` has no author");
    }
}

/// Steps are `1. …`, `2. …` and so on, each on a line of its own; a longer one goes on in lines that begin with three spaces.
fn is_numbered_list(guide: &str) -> bool {
    let mut steps = 0_usize;
    guide.lines().all(|line| {
        let begins = line.strip_prefix(&format!("{}. ", steps + 1)).is_some_and(|text| !text.starts_with(' '));
        steps += usize::from(begins);
        begins || (steps > 0 && line.starts_with("   "))
    })
}

#[test]
fn a_guide_is_a_list_of_steps_in_their_order() {
    assert!(is_numbered_list("1. Call the owner.\n2. Deactivate the key,\n   then deny the user."));
    for other in ["Call the owner.", "1. Call the owner.\n3. Deny the user.", "1. Call the owner,\nthen deny.", "   Call."] {
        assert!(!is_numbered_list(other), "{other}");
    }
}

#[test]
fn every_hit_fits_exactly_one_event_pattern_and_every_pattern_fits_the_quota() {
    let book = shipped();
    let patterns = event_patterns(&book);
    for detail in &patterns {
        let whole = pattern::envelope(detail).to_string();
        assert!(whole.chars().count() <= pattern::MAX_PATTERN_CHARS, "{} characters: {whole}", whole.len());
    }
    for (rule, event) in all_hits(&book) {
        assert_eq!(fitting(&patterns, rule.log, event), 1, "`{}`: {event}\n{patterns:#?}", rule.id);
    }
    for correlation in book.correlations() {
        let hits = correlation.series.iter().filter(|series| series.expected == Expected::Hit);
        for step in hits.flat_map(|series| &series.steps) {
            assert_eq!(fitting(&patterns, Log::CloudTrail, &step.event), 1, "`{}`: {}", correlation.id, step.event);
        }
    }
}

#[test]
fn the_patterns_are_few() {
    let sizes: Vec<usize> =
        event_patterns(&shipped()).iter().map(|detail| pattern::envelope(detail).to_string().chars().count()).collect();
    println!("{} patterns of {sizes:?} characters", sizes.len());
    assert!(sizes.len() <= 9, "{sizes:?}");
}

/// Who gave whom an exception is remembered from these calls, so they have to arrive whoever makes them.
#[test]
fn every_call_that_changes_an_exception_is_let_through() {
    let patterns = event_patterns(&shipped());
    for call in ["TagUser", "UntagUser", "TagRole", "UntagRole", "CreateUser", "CreateRole", "AddUserToGroup"] {
        for caller in ["IAMUser", "AssumedRole", "FederatedUser", "Root", "AWSAccount"] {
            let event = json!({"eventSource": "iam.amazonaws.com", "eventName": call, "userIdentity": {"type": caller}});
            assert!(fitting(&patterns, Log::CloudTrail, &event) > 0, "{event}");
        }
    }
}

#[test]
fn everyday_work_of_infrastructure_as_code_pages_nobody() {
    let book = shipped();
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","logs:PutLogEvents"],"Resource":"*"}]}"#;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let policy = "arn:aws:iam::111111111111:policy/web";
    let basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    let function = "arn:aws:iam::111111111111:role/web";
    let calls = [
        (
            "iam",
            "CreateRole",
            json!({"roleName": "web", "assumeRolePolicyDocument": trust, "tags": [{"key": "team", "value": "web"}]}),
        ),
        ("iam", "UpdateAssumeRolePolicy", json!({"roleName": "web", "policyDocument": trust})),
        ("iam", "PutRolePolicy", json!({"roleName": "web", "policyName": "web", "policyDocument": document})),
        ("iam", "CreatePolicy", json!({"policyName": "web", "policyDocument": document})),
        ("iam", "CreatePolicyVersion", json!({"policyArn": policy, "policyDocument": document, "setAsDefault": true})),
        ("iam", "AttachRolePolicy", json!({"roleName": "web", "policyArn": policy})),
        ("iam", "AttachRolePolicy", json!({"roleName": "web", "policyArn": basic})),
        ("iam", "DetachRolePolicy", json!({"roleName": "web", "policyArn": policy})),
        ("iam", "DeleteRolePolicy", json!({"roleName": "web", "policyName": "web"})),
        ("iam", "DeletePolicyVersion", json!({"policyArn": policy, "versionId": "v1"})),
        ("iam", "PutRolePermissionsBoundary", json!({"roleName": "web", "permissionsBoundary": policy})),
        ("iam", "CreateInstanceProfile", json!({"instanceProfileName": "web"})),
        ("iam", "AddRoleToInstanceProfile", json!({"instanceProfileName": "web", "roleName": "web"})),
        ("iam", "CreateOpenIDConnectProvider", json!({"url": "https://token.actions.githubusercontent.com"})),
        ("iam", "CreateServiceLinkedRole", json!({"aWSServiceName": "ecs.amazonaws.com"})),
        ("iam", "TagRole", json!({"roleName": "web", "tags": [{"key": "team", "value": "web"}]})),
        ("iam", "CreateUser", json!({"userName": "mailer"})),
        ("iam", "CreateAccessKey", json!({"userName": "mailer"})),
        ("iam", "AddUserToGroup", json!({"userName": "mailer", "groupName": "services"})),
        ("iam", "DeleteUser", json!({"userName": "mailer"})),
        ("events", "PutRule", json!({"name": "nightly", "state": "ENABLED"})),
        ("events", "RemoveTargets", json!({"rule": "nightly", "ids": ["1"]})),
        ("events", "DeleteRule", json!({"name": "nightly"})),
        ("config", "DeleteConfigRule", json!({"configRuleName": "tags"})),
        ("cloudtrail", "UpdateTrail", json!({"name": "main", "isMultiRegionTrail": true, "enableLogFileValidation": true})),
        ("guardduty", "UpdateDetector", json!({"detectorId": "0a1b", "enable": true})),
        ("lambda", "CreateFunction20150331", json!({"functionName": "web", "role": function})),
        ("lambda", "UpdateFunctionCode20150331v2", json!({"functionName": "web"})),
        ("ec2", "RunInstances", json!({"iamInstanceProfile": {"name": "web"}})),
        ("cloudformation", "CreateStack", json!({"stackName": "web", "roleARN": function})),
        ("dynamodb", "UpdateTable", json!({"tableName": "orders"})),
        ("sns", "SetTopicAttributes", json!({"topicArn": "arn:aws:sns:us-east-1:111111111111:orders"})),
        ("sso", "CreateAccountAssignment", json!({"targetId": "222222222222", "principalType": "GROUP"})),
        ("organizations", "AttachPolicy", json!({"policyId": "p-0a1b", "targetId": "222222222222"})),
        ("sts", "AssumeRole", json!({"roleArn": function, "roleSessionName": "terraform"})),
    ];
    let arn = "arn:aws:sts::111111111111:assumed-role/terraform/run";
    let identity = json!({"type": "AssumedRole", "accountId": "111111111111", "arn": arn,
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111111111111:role/terraform", "userName": "terraform"}}});
    // What the caller calls itself decides nothing.
    for agent in ["APN/1.0 HashiCorp/1.0 Terraform/1.11", "cloudformation.amazonaws.com", "curl/8.9"] {
        for (service, call, parameters) in &calls {
            let event = json!({"eventSource": format!("{service}.amazonaws.com"), "eventName": call, "userIdentity": identity,
                "userAgent": agent, "recipientAccountId": "111111111111", "requestParameters": parameters});
            let paged: Vec<_> = book.evaluate(&event).into_iter().filter(|found| found.level >= Level::High).collect();
            assert!(paged.is_empty(), "{call}: {paged:?}");
        }
    }
}

#[test]
fn ordinary_events_cost_nothing() {
    let patterns = event_patterns(&shipped());
    for event in [
        json!({"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "userIdentity": {"type": "AssumedRole"}}),
        json!({"eventSource": "iam.amazonaws.com", "eventName": "ListRoles", "userIdentity": {"type": "AssumedRole"}}),
        json!({"instance-id": "i-0", "state": "running"}),
    ] {
        assert_eq!(fitting(&patterns, Log::CloudTrail, &event), 0, "{event}");
    }
}

#[test]
fn a_refused_call_is_never_treated_as_done() {
    let book = shipped();
    for (rule, event) in hits(&book).filter(|(rule, _)| !MATCH_REFUSED_CALLS.contains(rule)) {
        let mut refused = event.clone();
        refused["errorCode"] = json!("AccessDenied");
        assert!(!matched(&book, &refused, rule), "`{rule}` matches a refused call: {refused}");
    }
}

#[test]
fn a_name_that_merely_resembles_a_watched_call_is_no_match() {
    let book = shipped();
    for (rule, event) in hits(&book).filter(|(rule, _)| !ABOUT_ANY_CALL.contains(rule)) {
        let mut other = event.clone();
        other["eventName"] = json!(format!("{}2", event["eventName"].as_str().unwrap()));
        assert!(!matched(&book, &other, rule), "`{rule}`: {other}");
        other = event.clone();
        other["eventSource"] = json!("iam.amazonaws.com.example.org");
        assert!(!matched(&book, &other, rule), "`{rule}`: {other}");
    }
}

#[test]
fn thirteen_rules_ask_for_a_change_and_root_is_never_one() {
    use RemedyKind as R;
    let book = shipped();
    let of_calls = book.rules().iter().filter(|rule| rule.log == Log::CloudTrail);
    let responses: Vec<_> = of_calls.filter_map(|rule| Some((rule.id.as_str(), rule.response.clone()?))).collect();
    let trust = [R::RestoreTrustPolicy, R::DisableCreatedPrincipal];
    let unreadable = [
        R::RemoveInlinePolicy,
        R::RestoreTrustPolicy,
        R::RestorePolicyVersion,
        R::DeletePolicyVersion,
        R::DisableCreatedPrincipal,
    ];
    let tag = [ExceptionKind::Tag, ExceptionKind::Recorded, ExceptionKind::Automation];
    let both = [ExceptionKind::Group, ExceptionKind::Tag, ExceptionKind::Recorded, ExceptionKind::Automation];
    type Asked<'a> = (&'a str, &'a [R], &'a [R], &'a [ExceptionKind]);
    let expected: [Asked<'_>; 13] = [
        ("cloudtrail-narrowed", &[R::RestartLogging], &[R::DenyAll], &tag),
        ("cloudtrail-stopped", &[R::RestartLogging], &[R::DenyAll], &tag),
        ("exception-tag-changed", &[R::RestoreExceptionTag], &[], &[]),
        ("iam-admin-inline-policy-written", &[R::RemoveInlinePolicy], &[R::DenyIam], &tag),
        ("iam-admin-policy-attached", &[R::DetachPolicy], &[R::DenyIam], &tag),
        ("iam-credentials-made-for-another", &[R::DeactivateAccessKey, R::DisableLoginProfile], &[R::DenyIam], &both),
        ("iam-policy-unreadable", &unreadable, &[R::DenyIam], &tag),
        ("iam-policy-version-made-admin", &[R::RestorePolicyVersion, R::DeletePolicyVersion], &[R::DenyIam], &tag),
        ("iam-privileged-group-joined", &[R::RemoveFromGroup], &[R::DenyIam], &tag),
        ("iam-role-opened-to-anyone", &trust, &[R::DenyIam], &tag),
        ("iam-role-opened-to-outsiders", &trust, &[R::DenyIam], &tag),
        ("iam-write-by-iam-user", &[], &[R::DenyIam], &both),
        ("permissions-boundary-loosened", &[R::RestorePermissionsBoundary], &[R::DenyIam], &tag),
    ];
    let mut found: Vec<_> = responses
        .iter()
        .map(|(name, response)| (*name, &response.revert[..], &response.contain[..], &response.exceptions[..]))
        .collect();
    found.sort_by_key(|(name, ..)| *name);
    assert_eq!(found, expected);
    assert!(responses.iter().all(|(_, response)| response.gate == Gate::Ask));
    let root = book.rule(&"root-activity".parse().unwrap()).unwrap();
    assert_eq!((root.level, &root.response), (Level::Critical, &None));
}

/// Whoever is exempt must not be able to use that against what exempts and what answers.
#[test]
fn rules_about_root_the_exceptions_and_cordon_itself_honour_no_exception() {
    let book = shipped();
    let about_ourselves = ["exception-tag-changed", "cordon-changed", "cordon-disabled", "quarantine-lifted"];
    let about_root = book.rules().iter().map(|rule| rule.id.as_str()).filter(|id| id.starts_with("root-"));
    for id in about_ourselves.into_iter().chain(about_root) {
        let rule = book.rule(&id.parse().unwrap()).unwrap_or_else(|| panic!("there is no rule `{id}`"));
        let honoured = rule.response.iter().flat_map(|response| &response.exceptions).count();
        assert_eq!(honoured, 0, "`{id}` has a response and must say `exceptions: []`");
    }
}

/// Whoever holds leaked credentials has to be stopped, whatever tag their owner carries.
#[test]
fn no_exception_lets_leaked_credentials_pass() {
    let book = shipped();
    let answered: Vec<_> = book
        .rules()
        .iter()
        .filter(|rule| rule.log != Log::CloudTrail)
        .filter_map(|rule| Some((&rule.id, rule.response.as_ref()?)))
        .collect();
    assert_eq!(answered.len(), 2);
    for (id, response) in answered {
        assert!(response.exceptions.is_empty() && response.revert.is_empty() && response.gate == Gate::Ask, "{id}");
    }
}

#[test]
fn every_credential_that_a_notice_is_about_has_a_holder_to_stop() {
    let book = shipped();
    let stolen = ["guardduty-credentials-stolen", "health-credentials-exposed"];
    for (rule, event) in all_hits(&book).filter(|(rule, _)| stolen.contains(&rule.id.as_str())) {
        let actor = cordon_core::Actor::from_record(&cases::record(rule.log, event).unwrap());
        assert!(actor.access_key_id.is_some(), "`{}`: {event}", rule.id);
        assert!(actor.principal().is_some() || event["eventMetadata"].is_null(), "`{}`: {event}", rule.id);
    }
}

#[test]
fn the_tag_and_the_name_of_a_deployment_are_what_its_rules_look_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let placeholders = cordon_detect::Placeholders::new("team:approved", "team:until", "yes", "watch").unwrap();
    let book = RuleBook::load_for(sources(&folder), &placeholders).map_err(|errors| format!("{errors:#?}")).unwrap();
    assert_eq!(check_cases(&book), [], "the cases are about the deployment too");
    let tagged = |key: &str| {
        json!({"eventSource": "iam.amazonaws.com", "eventName": "TagUser", "userIdentity": {"type": "Root"},
        "requestParameters": {"userName": "mallory", "tags": [{"key": key, "value": "yes"}]}})
    };
    assert!(matched(&book, &tagged("team:approved"), "exception-tag-changed"));
    assert!(matched(&book, &tagged("Team:Approved"), "exception-tag-changed"), "IAM does not tell keys apart by their case");
    assert!(!matched(&book, &tagged("SecurityApproved"), "exception-tag-changed"));
    assert!(matched(&shipped(), &tagged("securityapproved"), "exception-tag-changed"));
    let stopped = |name: &str| {
        json!({"eventSource": "events.amazonaws.com", "eventName": "DisableRule", "userIdentity": {"type": "IAMUser"},
        "requestParameters": {"name": format!("{name}-incident-00")}})
    };
    assert!(matched(&book, &stopped("watch"), "cordon-disabled") && !matched(&book, &stopped("cordon"), "cordon-disabled"));
}

#[test]
fn packed_rules_are_the_same_rules_and_find_the_same() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules"));
    let packed = RuleSource::new("rules.json", cordon_detect::pack(&sources).unwrap());
    let placeholders = cordon_detect::Placeholders::new("team:approved", "team:until", "yes", "watch").unwrap();
    let with_cases = RuleBook::load_for(sources.clone(), &placeholders).unwrap();
    let written = RuleBook::load_for(sources.iter().map(RuleSource::without_cases).collect(), &placeholders).unwrap();
    let read = RuleBook::load_packed(&packed, &placeholders).unwrap();
    assert_eq!((read.rules(), read.correlations()), (written.rules(), written.correlations()));
    for (rule, event) in all_hits(&with_cases) {
        let record = cases::record(rule.log, event).unwrap();
        let enriched = Enriched::of(rule.log, &record, None);
        assert_eq!(read.judge(&enriched), with_cases.judge(&enriched), "`{}`: {event}", rule.id);
    }
}

#[test]
fn each_of_the_ten_high_risk_calls_has_its_alert() {
    let book = shipped();
    for call in [
        "CreateUser",
        "DeleteUser",
        "CreateAccessKey",
        "PutUserPolicy",
        "AttachUserPolicy",
        "AttachGroupPolicy",
        "AttachRolePolicy",
        "UpdateAssumeRolePolicy",
        "AddUserToGroup",
        "RemoveUserFromGroup",
    ] {
        let event = json!({"eventSource": "iam.amazonaws.com", "eventName": call, "userIdentity": {"type": "AssumedRole"}});
        let found = book.evaluate(&event);
        assert_eq!(found.len(), 1, "{call}: {found:?}");
        assert!(found[0].response.is_none() && found[0].level <= Level::Medium, "{call}: {found:?}");
    }
}

#[test]
fn the_example_of_the_guide_to_writing_rules_loads_and_keeps_its_cases() {
    let guide = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/writing-rules.md")).unwrap();
    let (_, rest) = guide.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let book =
        RuleBook::load(vec![RuleSource::new("docs/writing-rules.md", example)]).map_err(|errors| format!("{errors:#?}")).unwrap();
    assert_eq!((check_cases(&book), book.rules()[0].cases.len()), (vec![], 2));
}

/// Public rules drop in. The folder is named by the environment, because the rules are not ours to ship.
#[test]
fn public_sigma_rules_load_and_their_events_fit_the_patterns() {
    let Some(folder) = Need::SigmaRules.folder_or_skip() else { return };
    let book = load(&folder);
    assert!(!book.rules().is_empty());
    assert!(book.rules().iter().all(|rule| rule.response.is_none() && rule.author != "unknown"));
    let all = [sources(&folder), sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules"))].concat();
    let both = RuleBook::load(all.clone()).map_err(|errors| format!("{errors:?}")).unwrap();
    for detail in event_patterns(&both) {
        let size = pattern::envelope(&detail).to_string().chars().count();
        assert!(size <= pattern::MAX_PATTERN_CHARS, "{size} characters");
    }
    let packed = RuleSource::new("rules.json", cordon_detect::pack(&all).unwrap());
    let packed = RuleBook::load_packed(&packed, &cordon_detect::Placeholders::default()).unwrap();
    assert_eq!(packed.rules().len(), both.rules().len());
    println!("{} public rules, {} patterns with ours", book.rules().len(), event_patterns(&both).len());
}
