//! Measures what the rules take of a warm event, and what loading them takes.
//!
//! `cargo run --release -p cordon-detect --example evaluate` in the repository's root. Each figure is the best of several rounds.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use cordon_detect::{Placeholders, RuleBook, RuleSource};
use serde_json::{Value, json};

const ROUNDS: usize = 40;
const EVENTS: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut sources = Vec::new();
    collect(Path::new("rules"), &mut sources)?;
    let load = |sources: &[RuleSource]| RuleBook::load(sources.to_vec()).map_err(|errors| format!("{errors:?}"));
    let without_cases: Vec<RuleSource> = sources.iter().map(RuleSource::without_cases).collect();
    let packed = RuleSource::new("rules.json", cordon_detect::pack(&sources).map_err(|errors| format!("{errors:?}"))?);
    let unpack = || RuleBook::load_packed(&packed, &Placeholders::default()).map_err(|errors| format!("{errors:?}"));
    let [mut whole, mut without, mut unpacked] = [f64::MAX; 3];
    for _ in 0..ROUNDS {
        whole = whole.min(milliseconds(|| load(&sources))?);
        without = without.min(milliseconds(|| load(&without_cases))?);
        unpacked = unpacked.min(milliseconds(unpack)?);
    }
    println!(
        "{} rules loaded in {whole:.1} ms, without their cases in {without:.1} ms, packed in {unpacked:.1} ms",
        sources.len()
    );
    let book = load(&sources)?;
    for (name, record) in records() {
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            let started = Instant::now();
            for _ in 0..EVENTS {
                black_box(book.evaluate(black_box(&record)));
            }
            best = best.min(started.elapsed().as_secs_f64() / EVENTS as f64);
        }
        println!("{:7.1} µs  {name}, {} matching", best * 1e6, book.evaluate(&record).len());
    }
    Ok(())
}

fn milliseconds(load: impl FnOnce() -> Result<RuleBook, String>) -> Result<f64, String> {
    let started = Instant::now();
    let book = black_box(load()?);
    let took = started.elapsed().as_secs_f64() * 1e3;
    drop(book);
    Ok(took)
}

fn records() -> Vec<(&'static str, Value)> {
    let record = |name: &str, parameters: Value| {
        json!({
            "eventVersion": "1.11", "eventSource": "iam.amazonaws.com", "eventName": name, "awsRegion": "us-east-1",
            "userIdentity": {
                "type": "IAMUser", "arn": "arn:aws:iam::111111111111:user/eve", "userName": "eve", "accountId": "111111111111",
                "principalId": "AIDA", "accessKeyId": "AKIA",
            },
            "userAgent": "aws-cli/2.31.4", "sourceIPAddress": "198.51.100.7", "requestParameters": parameters,
            "responseElements": null, "eventID": "e", "eventTime": "2026-01-01T00:00:00Z", "recipientAccountId": "111111111111",
        })
    };
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    // What takes longest: nothing is settled by one statement alone, and every resource has to be asked about.
    let narrow = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iam:Get*","iam:List*","iam:P*","iam:Attach*","iam:Create*","lambda:*","ec2:*","sagemaker:*"],
         "Resource":["arn:aws:iam::*:user/app-*","arn:aws:iam::*:role/app-*","arn:aws:lambda:*:*:function:app-*","arn:aws:ec2:*:*:*"],
         "Condition":{"StringEquals":{"aws:PrincipalTag/team":"app","aws:RequestedRegion":["eu-west-1","us-east-1"]}}},
        {"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"},
        {"Effect":"Deny","Action":"*","Resource":"arn:aws:iam::*:role/cordon-*","Condition":{"Bool":{"aws:ViaAWSService":"false"}}},
        {"Effect":"Deny","NotAction":["iam:*","sts:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-west-1"}}}]}"#;
    vec![
        ("a call that only reads", record("ListUsers", json!(null))),
        (
            "a policy of AWS attached",
            record("AttachUserPolicy", json!({"userName": "eve", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"})),
        ),
        (
            "an inline policy that allows everything",
            record("PutUserPolicy", json!({"userName": "eve", "policyName": "p", "policyDocument": document})),
        ),
        (
            "an inline policy of four statements, with conditions, wildcards and denies",
            record("PutUserPolicy", json!({"userName": "eve", "policyName": "p", "policyDocument": narrow})),
        ),
    ]
}

fn collect(folder: &Path, sources: &mut Vec<RuleSource>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            sources.push(RuleSource::new(path.display().to_string(), std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}
