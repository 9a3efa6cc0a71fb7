use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn document(statements: &Value) -> Document {
    Document::parse(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
}

fn found(statements: &Value) -> Grants {
    grants(&document(statements))
}

fn allow(action: &Value, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

#[track_caller]
fn admin(statements: Value, expected: Answer) {
    assert_eq!(found(&statements).admin, expected, "{statements}");
}

#[test]
fn administrator_is_known_in_any_spelling() {
    admin(allow(&json!("*"), "*"), Answer::Yes);
    admin(allow(&json!("*:*"), "*"), Answer::Yes);
    admin(allow(&json!("?*"), "**"), Answer::Yes);
    admin(allow(&json!(["s3:*", "*"]), "arn:aws:*:*:*:*"), Answer::Yes);
    admin(json!({"effect": "allow", "action": "*", "resource": "*"}), Answer::Yes);
    admin(json!({"Effect": "Allow", "NotAction": "support:*", "Resource": "*"}), Answer::Yes);
    admin(json!({"Effect": "Allow", "NotAction": [], "NotResource": []}), Answer::Yes);
    admin(json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::payroll/*"}), Answer::Yes);
    let letters: Vec<String> = ('a'..='z').map(|letter| format!("{letter}*")).collect();
    admin(allow(&json!(letters), "*"), Answer::Yes);
}

#[test]
fn administrator_of_one_account_is_not_hidden_among_others() {
    let own = ["arn:aws:iam::555555555555:*", "arn:aws:*:*:55555555555?:*", "arn:aws:iam::5555*"];
    for own in own {
        let plain = found(&json!([{"Effect": "Allow", "Action": "*", "Resource": [own]}]));
        let decoys = (0..40).map(|n| format!("arn:aws:iam::{n:012}:user/x"));
        let resources: Vec<String> = decoys.chain([own.to_owned()]).collect();
        let hidden = found(&json!([{"Effect": "Allow", "Action": "*", "Resource": resources}]));
        let yes = |grants: &Grants| grants.names(Answer::Yes).map(str::to_owned).collect::<Vec<_>>();
        assert!(!yes(&plain).is_empty(), "{own}");
        assert_eq!(yes(&hidden), yes(&plain), "{own}");
    }
}

#[test]
fn several_statements_may_only_together_be_administrator() {
    let iam = allow(&json!("IAM:*"), "*");
    let rest = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
    admin(iam.clone(), Answer::No);
    admin(rest.clone(), Answer::No);
    admin(json!([iam, rest]), Answer::Yes);
    let mine = allow(&json!("*"), "arn:aws:iam::111111111111:role/x");
    let others = json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:iam::111111111111:role/x"});
    admin(json!([mine, others]), Answer::Yes);
}

#[test]
fn an_explicit_deny_takes_administrator_back() {
    let everything = allow(&json!("*"), "*");
    let with = |deny: Value| json!([everything, deny]);
    admin(with(json!({"Effect": "Deny", "Action": "iam:*", "Resource": "*"})), Answer::No);
    admin(with(json!({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"})), Answer::No);
    admin(with(json!({"Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"})), Answer::Yes);
    admin(with(json!({"Effect": "Deny", "Action": "*", "Resource": "arn:aws:iam::111111111111:role/cordon"})), Answer::Yes);
    let without_mfa = json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}});
    admin(with(json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": without_mfa})), Answer::Yes);
}

#[test]
fn a_condition_limits_or_does_not() {
    let when = |condition: Value| json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition});
    admin(when(json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})), Answer::Yes);
    admin(when(json!({"StringLike": {"aws:PrincipalArn": "*"}})), Answer::Yes);
    admin(when(json!({"IpAddress": {"aws:SourceIp": ["0.0.0.0/0"]}})), Answer::Yes);
    admin(when(json!({"IpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}})), Answer::Limited);
    admin(when(json!({"StringEquals": {"aws:PrincipalTag/team": "x"}})), Answer::Limited);
    admin(when(json!({"Bool": {"aws:ViaAWSService": "true"}})), Answer::No);
}

#[test]
fn writing_iam_is_less_than_administrator() {
    let grants = found(&allow(&json!("iam:*"), "*"));
    assert_eq!((grants.admin, grants.iam_write), (Answer::No, Answer::Yes));
    let own = allow(&json!("iam:PutUserPolicy"), "arn:aws:iam::*:user/${aws:username}");
    let grants = found(&own);
    assert_eq!((grants.iam_write, grants.names(Answer::Yes).collect::<Vec<_>>()), (Answer::Limited, vec!["put-user-policy"]));
    let keys = ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:UpdateAccessKey", "iam:ListAccessKeys"];
    assert_eq!(found(&allow(&json!(keys), "arn:aws:iam::*:user/${aws:username}")).names(Answer::Yes).count(), 0);
}

#[test]
fn each_method_is_found_from_its_calls_and_not_from_fewer() {
    for method in METHODS {
        let actions: Vec<&str> = method.calls.iter().map(|call| call.action).collect();
        let has = |actions: &[&str]| {
            found(&allow(&json!(actions), "*"))
                .methods
                .iter()
                .any(|(found, how_far)| found.name == method.name && *how_far == Answer::Yes)
        };
        assert!(has(&actions), "{}", method.name);
        for missing in 0..actions.len() {
            let fewer: Vec<&str> =
                actions.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, action)| *action).collect();
            assert!(fewer.is_empty() || !has(&fewer), "{} without {}", method.name, actions[missing]);
        }
    }
}

#[test]
fn rhinos_list_is_whole_and_every_method_has_a_name_and_a_source_of_its_own() {
    let of = |host: &str| METHODS.iter().filter(|method| method.source.contains(host)).count();
    assert_eq!(of("RhinoSecurityLabs"), 28);
    let names: std::collections::BTreeSet<&str> = METHODS.iter().map(|method| method.name).collect();
    assert_eq!(names.len(), METHODS.len());
    assert!(METHODS.iter().all(|method| method.source.starts_with("https://") && !method.calls.is_empty()));
}

#[test]
fn passing_a_role_to_one_service_is_no_way_through_another() {
    let when = |service: &str| {
        json!([
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": service}}},
            allow(&json!(["lambda:*", "ec2:*"]), "*")])
    };
    let names = |service: &str| {
        found(&when(service))
            .names(Answer::Yes)
            .filter(|name| name.starts_with("pass-role"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let lambda = names("lambda.amazonaws.com");
    assert!(lambda.iter().all(|name| name.contains("lambda")) && lambda.len() == 3, "{lambda:?}");
    assert!(names("ec2.amazonaws.com").contains(&"pass-role-ec2-run-instances".to_owned()));
    let one_role = json!([allow(&json!("iam:PassRole"), "arn:aws:iam::111111111111:role/app"), allow(&json!("lambda:*"), "*")]);
    assert!(found(&one_role).names(Answer::Limited).any(|name| name == "pass-role-lambda-create-invoke"));
}

#[test]
fn reading_grants_nothing() {
    let read = json!(["iam:Get*", "iam:List*", "s3:Get*", "ec2:Describe*", "cloudtrail:LookupEvents"]);
    let grants = found(&allow(&read, "*"));
    assert_eq!((grants.admin, grants.iam_write, grants.methods), (Answer::No, Answer::No, vec![]));
}

const ACTIONS: [&str; 14] = [
    "*",
    "iam:*",
    "iam:Put*",
    "iam:PutUserPolicy",
    "iam:PassRole",
    "lambda:*",
    "ec2:RunInstances",
    "s3:Get*",
    "iam:Attach*Policy",
    "iam:CreateAccessKey",
    "sts:AssumeRole",
    "iam:CreatePolicyVersion",
    "*:*",
    "glue:*",
];
const RESOURCES: [&str; 7] = [
    "*",
    "arn:aws:iam::*:user/*",
    "arn:aws:iam::111111111111:role/app",
    "arn:aws:iam::*:role/*",
    "arn:aws:lambda:*:*:function:*",
    "arn:aws:iam::*:user/${aws:username}",
    "arn:aws:iam::222222222222:*",
];

const PRINCIPALS: [&str; 5] =
    ["*", "arn:aws:iam::111111111111:root", "222222222222", "arn:aws:iam::222222222222:role/ci", "AIDAEXAMPLE"];

fn condition() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}))),
        1 => Just(Some(json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))),
        1 => Just(Some(json!({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}))),
    ]
}

/// A statement that lists its actions and resources, so that it can be split.
fn statement() -> impl Strategy<Value = (bool, Vec<&'static str>, Vec<&'static str>, Option<Value>)> {
    (
        prop::bool::weighted(0.8),
        prop::sample::subsequence(&ACTIONS[..], 1..4),
        prop::sample::subsequence(&RESOURCES[..], 1..3),
        condition(),
    )
}

fn written(allow: bool, actions: &[&str], resources: &[&str], condition: Option<&Value>) -> Value {
    let mut statement = json!({"Effect": if allow { "Allow" } else { "Deny" }, "Action": actions, "Resource": resources});
    if let Some(condition) = condition {
        statement["Condition"] = condition.clone();
    }
    statement
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("Statement".to_owned()),
        Just("Effect".to_owned()),
        Just("Action".to_owned()),
        Just("NotAction".to_owned()),
        Just("Resource".to_owned()),
        Just("Condition".to_owned()),
        Just("Principal".to_owned()),
        Just("StringLike".to_owned()),
        Just("Null".to_owned()),
        ".{0,4}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(json!("Allow")),
        Just(json!("*")),
        "[*?:a${}%]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5).prop_map(|map| json!(map))
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_case_and_splitting_change_nothing(statements in prop::collection::vec(statement(), 1..5), turn in 0_usize..4) {
        let plain: Vec<Value> = statements.iter().map(|(allow, actions, resources, condition)| written(*allow, actions, resources, condition.as_ref())).collect();
        let expected = found(&json!(plain));
        let mut turned = plain.clone();
        turned.rotate_left(turn % plain.len());
        turned.reverse();
        prop_assert_eq!(&found(&json!(turned)), &expected, "order");
        let mut split = Vec::new();
        for (allow, actions, resources, condition) in &statements {
            for action in actions {
                let action = if turn % 2 == 0 { action.to_uppercase() } else { action.to_lowercase() };
                split.extend(resources.iter().map(|resource| written(*allow, &[&action], &[resource], condition.as_ref())));
            }
        }
        prop_assert_eq!(&found(&json!(split)), &expected, "case and splitting");
        let documents = plain.iter().map(document);
        prop_assert_eq!(&grants(&Document::joined(documents)), &expected, "one document a statement");
    }

    #[test]
    fn more_permissions_never_grant_less(statements in prop::collection::vec(statement(), 1..4), extra in statement()) {
        let plain: Vec<Value> = statements.iter().map(|(allow, actions, resources, condition)| written(*allow, actions, resources, condition.as_ref())).collect();
        let before = found(&json!(plain));
        let more = [plain, vec![written(true, &extra.1, &extra.2, extra.3.as_ref())]].concat();
        let after = found(&json!(more));
        prop_assert!(after.admin >= before.admin && after.iam_write >= before.iam_write);
        for (method, how_far) in &before.methods {
            prop_assert!(after.methods.iter().any(|(other, now)| other == method && now >= how_far), "{}", method.name);
        }
    }

    #[test]
    fn order_case_and_splitting_change_no_way_into_a_role(
        entries in prop::collection::vec((prop::sample::subsequence(&PRINCIPALS[..], 1..4), condition()), 1..4),
        turn in 0_usize..4,
    ) {
        let statement = |who: &Value, action: &str, condition: &Option<Value>| {
            json!({"Effect": "Allow", "Principal": {"AWS": who}, "Action": action, "Condition": condition.clone().unwrap_or(json!({}))})
        };
        let plain: Vec<Value> = entries.iter().map(|(who, condition)| statement(&json!(who), "sts:AssumeRole", condition)).collect();
        let expected = trusts(&document(&json!(plain)));
        let mut split: Vec<Value> = Vec::new();
        for (who, condition) in &entries {
            split.extend(who.iter().map(|one| statement(&json!(one), "STS:assumerole", condition)));
        }
        let turns = turn % split.len();
        split.rotate_left(turns);
        prop_assert_eq!(trusts(&document(&json!(split))), expected);
    }

    #[test]
    fn no_input_panics(value in any_json(), text in ".{0,60}") {
        for value in [value.clone(), json!(value.to_string()), json!(text), json!({"Statement": value})] {
            if let Ok(document) = Document::parse(&value) {
                let _ = (grants(&document), trusts(&document));
            }
        }
    }
}
