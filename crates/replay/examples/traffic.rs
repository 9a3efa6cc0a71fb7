//! Writes made-up CloudTrail traffic, the same for the same arguments: what the figures in `docs/benchmarks.md` are measured on.
//!
//! `cargo run --release -p cordon-replay --example traffic -- FOLDER [MEGABYTES [EVENTS]]` makes `FOLDER/lines.jsonl` with so
//! many megabytes of records, and `FOLDER/AWSLogs/…/*.json.gz` with the same records as CloudTrail delivers them to S3, so many
//! in a file. It is the traffic of an account at work: S3, EC2, STS, KMS, Lambda and others being read by roles, users and
//! services, with one event in a hundred from IAM, of which a part are changes.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::num::NonZero;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Events that a file of a busy account holds.
const EVENTS_PER_FILE: usize = 4_000;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| arguments.get(at).map_or(Ok(default), |text| text.parse().map(NonZero::get));
    match (arguments.first(), number(1, 200), number(2, EVENTS_PER_FILE)) {
        (Some(folder), Ok(megabytes), Ok(events)) => write_all(Path::new(folder), megabytes * 1_000_000, events),
        _ => {
            eprintln!("usage: traffic FOLDER [MEGABYTES [EVENTS]], with numbers from 1");
            std::process::exit(2);
        }
    }
}

fn write_all(folder: &Path, bytes: usize, events: usize) -> std::io::Result<()> {
    let logs = folder.join("AWSLogs/111111111111/CloudTrail/eu-central-1/2026/11/21");
    fs::create_dir_all(&logs)?;
    let mut lines = BufWriter::new(File::create(folder.join("lines.jsonl"))?);
    let mut traffic = Traffic::new(7);
    let (mut written, mut file) = (0, 0);
    while written < bytes {
        let name =
            format!("111111111111_CloudTrail_eu-central-1_20261121T{:02}{:02}Z_{file:016x}.json.gz", file / 60 % 24, file % 60);
        let mut archive = GzEncoder::new(BufWriter::new(File::create(logs.join(name))?), Compression::default());
        archive.write_all(b"{\"Records\":[")?;
        for n in 0..events {
            if written >= bytes {
                break;
            }
            let record = traffic.record();
            if n > 0 {
                archive.write_all(b",")?;
            }
            archive.write_all(record.as_bytes())?;
            lines.write_all(record.as_bytes())?;
            lines.write_all(b"\n")?;
            written += record.len() + 1;
        }
        archive.write_all(b"]}")?;
        archive.finish()?.flush()?;
        file += 1;
    }
    lines.flush()
}

/// A call, with how many of ten thousand events it is.
struct Call {
    share: u64,
    service: &'static str,
    name: &'static str,
    data: bool,
    parameters: fn(&mut Dice) -> String,
}

const READS: [Call; 22] = [
    Call { share: 2600, service: "s3", name: "GetObject", data: true, parameters: object },
    Call { share: 700, service: "s3", name: "HeadObject", data: true, parameters: object },
    Call { share: 400, service: "s3", name: "ListObjects", data: true, parameters: bucket },
    Call { share: 200, service: "s3", name: "GetBucketLocation", data: false, parameters: bucket },
    Call { share: 900, service: "sts", name: "AssumeRole", data: false, parameters: role },
    Call { share: 300, service: "sts", name: "GetCallerIdentity", data: false, parameters: null },
    Call { share: 1400, service: "kms", name: "Decrypt", data: false, parameters: key },
    Call { share: 500, service: "kms", name: "GenerateDataKey", data: false, parameters: key },
    Call { share: 600, service: "ec2", name: "DescribeInstances", data: false, parameters: filters },
    Call { share: 250, service: "ec2", name: "DescribeVolumes", data: false, parameters: filters },
    Call { share: 250, service: "ec2", name: "DescribeSecurityGroups", data: false, parameters: filters },
    Call { share: 150, service: "ec2", name: "DescribeNetworkInterfaces", data: false, parameters: filters },
    Call { share: 400, service: "lambda", name: "Invoke", data: true, parameters: function },
    Call { share: 150, service: "lambda", name: "GetFunction20150331v2", data: false, parameters: function },
    Call { share: 250, service: "logs", name: "CreateLogStream", data: false, parameters: stream },
    Call { share: 200, service: "logs", name: "DescribeLogGroups", data: false, parameters: null },
    Call { share: 200, service: "dynamodb", name: "DescribeTable", data: false, parameters: table },
    Call { share: 150, service: "ssm", name: "GetParameter", data: false, parameters: parameter },
    Call { share: 120, service: "ssm", name: "UpdateInstanceInformation", data: false, parameters: agent },
    Call { share: 80, service: "secretsmanager", name: "GetSecretValue", data: false, parameters: parameter },
    Call { share: 60, service: "monitoring", name: "DescribeAlarms", data: false, parameters: null },
    Call { share: 40, service: "elasticloadbalancing", name: "DescribeTargetHealth", data: false, parameters: null },
];

const IAM: [Call; 9] = [
    Call { share: 30, service: "iam", name: "GetRole", data: false, parameters: iam_role },
    Call { share: 20, service: "iam", name: "ListAttachedRolePolicies", data: false, parameters: iam_role },
    Call { share: 15, service: "iam", name: "ListUsers", data: false, parameters: null },
    Call { share: 10, service: "iam", name: "GetUser", data: false, parameters: iam_user },
    Call { share: 8, service: "iam", name: "AttachRolePolicy", data: false, parameters: attach },
    Call { share: 6, service: "iam", name: "PutRolePolicy", data: false, parameters: inline },
    Call { share: 5, service: "iam", name: "CreateRole", data: false, parameters: iam_role },
    Call { share: 4, service: "iam", name: "CreateAccessKey", data: false, parameters: iam_user },
    Call { share: 2, service: "iam", name: "CreateUser", data: false, parameters: iam_user },
];

/// A source of numbers that is the same on every machine (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    /// A place in a list of `len`, at most 2³² long.
    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or_default()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.get(self.index(from.len())).copied().unwrap_or_default()
    }

    fn hex(&mut self, digits: usize) -> String {
        let mut text = String::new();
        while text.len() < digits {
            let _ = write!(text, "{:016x}", self.roll());
        }
        text.truncate(digits);
        text
    }

    fn upper(&mut self, digits: usize) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        (0..digits).map(|_| LETTERS.get(self.index(LETTERS.len())).map_or('A', |letter| *letter as char)).collect()
    }

    fn uuid(&mut self) -> String {
        format!("{}-{}-{}-{}-{}", self.hex(8), self.hex(4), self.hex(4), self.hex(4), self.hex(12))
    }
}

fn null(_: &mut Dice) -> String {
    "null".to_owned()
}

fn bucket(dice: &mut Dice) -> String {
    let bucket = dice.pick(&["corp-data-lake", "corp-web-assets", "corp-build-artifacts", "corp-backups-eu"]);
    format!(r#"{{"bucketName":"{bucket}","Host":"{bucket}.s3.eu-central-1.amazonaws.com"}}"#)
}

fn object(dice: &mut Dice) -> String {
    let bucket = dice.pick(&["corp-data-lake", "corp-web-assets", "corp-build-artifacts", "corp-backups-eu"]);
    let day = dice.below(28) + 1;
    let part = dice.below(100_000);
    format!(
        r#"{{"bucketName":"{bucket}","Host":"{bucket}.s3.eu-central-1.amazonaws.com","key":"events/year=2026/month=11/day={day:02}/part-{part:05}-{}.snappy.parquet"}}"#,
        dice.uuid()
    )
}

fn role(dice: &mut Dice) -> String {
    let role = dice.pick(&["eks-node", "data-pipeline", "ci-deploy", "lambda-orders", "config-recorder"]);
    format!(
        r#"{{"roleArn":"arn:aws:iam::111111111111:role/{role}","roleSessionName":"{role}-{}","durationSeconds":3600}}"#,
        dice.hex(8)
    )
}

fn key(dice: &mut Dice) -> String {
    let volume = dice.hex(17);
    format!(r#"{{"encryptionContext":{{"aws:ebs:id":"vol-{volume}"}},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}}"#)
}

fn filters(dice: &mut Dice) -> String {
    let a = dice.hex(17);
    format!(
        r#"{{"maxResults":1000,"instancesSet":{{}},"filterSet":{{"items":[{{"name":"instance-state-name","valueSet":{{"items":[{{"value":"running"}}]}}}},{{"name":"instance-id","valueSet":{{"items":[{{"value":"i-{a}"}}]}}}}]}}}}"#
    )
}

fn function(dice: &mut Dice) -> String {
    let name = dice.pick(&["orders", "invoices", "thumbnails", "webhooks", "nightly-report"]);
    format!(r#"{{"functionName":"arn:aws:lambda:eu-central-1:111111111111:function:{name}","invocationType":"Event"}}"#)
}

fn stream(dice: &mut Dice) -> String {
    let name = dice.pick(&["orders", "invoices", "thumbnails", "webhooks", "nightly-report"]);
    format!(r#"{{"logGroupName":"/aws/lambda/{name}","logStreamName":"2026/11/21/[$LATEST]{}"}}"#, dice.hex(32))
}

fn table(dice: &mut Dice) -> String {
    format!(r#"{{"tableName":"{}"}}"#, dice.pick(&["orders", "carts", "sessions", "inventory"]))
}

fn parameter(dice: &mut Dice) -> String {
    let name = dice.pick(&["database", "payment-provider", "mail"]);
    format!(r#"{{"name":"/prod/{name}/url","withDecryption":true}}"#)
}

fn agent(dice: &mut Dice) -> String {
    let id = dice.hex(17);
    format!(
        r#"{{"instanceId":"i-{id}","agentVersion":"3.3.1345.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"10.0.{}.{}","computerName":"ip-10-0-1-17.eu-central-1.compute.internal","availabilityZone":"eu-central-1a"}}"#,
        dice.below(256),
        dice.below(256)
    )
}

fn iam_role(dice: &mut Dice) -> String {
    format!(r#"{{"roleName":"{}"}}"#, dice.pick(&["eks-node", "data-pipeline", "ci-deploy", "lambda-orders"]))
}

fn iam_user(dice: &mut Dice) -> String {
    format!(r#"{{"userName":"{}"}}"#, dice.pick(&["alice", "bob", "build-agent"]))
}

fn attach(dice: &mut Dice) -> String {
    let policy = dice.pick(&["ReadOnlyAccess", "AmazonSSMManagedInstanceCore", "AmazonS3ReadOnlyAccess"]);
    let role = dice.pick(&["eks-node", "data-pipeline", "ci-deploy"]);
    format!(r#"{{"roleName":"{role}","policyArn":"arn:aws:iam::aws:policy/{policy}"}}"#)
}

fn inline(dice: &mut Dice) -> String {
    let role = dice.pick(&["data-pipeline", "lambda-orders"]);
    format!(
        r#"{{"roleName":"{role}","policyName":"access","policyDocument":"{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\"],\"Resource\":\"arn:aws:s3:::corp-data-lake/*\"}}]}}"}}"#
    )
}

struct Traffic {
    dice: Dice,
    made: u64,
}

impl Traffic {
    fn new(seed: u64) -> Self {
        Self { dice: Dice(seed), made: 0 }
    }

    fn call(&mut self) -> &'static Call {
        let calls: &'static [Call] = if self.made % 100 == 50 { &IAM } else { &READS };
        let all: u64 = calls.iter().map(|call| call.share).sum();
        let mut at = self.dice.below(all);
        for call in calls {
            if at < call.share {
                return call;
            }
            at -= call.share;
        }
        &READS[0]
    }

    fn record(&mut self) -> String {
        let call = self.call();
        self.made += 1;
        let dice = &mut self.dice;
        let (identity, agent, address) = caller(dice, call);
        let parameters = (call.parameters)(dice);
        let second = self.made / 40 % 86_400;
        let time = format!("2026-11-21T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
        let read = !call.name.starts_with("Create") && !call.name.starts_with("Put") && !call.name.starts_with("Attach");
        let category = if call.data { "Data" } else { "Management" };
        let failed = match dice.below(50) {
            0 => r#""errorCode":"AccessDenied","errorMessage":"Access Denied","#,
            _ => "",
        };
        let (service, name) = (call.service, call.name);
        let extra = match service {
            "s3" => format!(
                r#""additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{}","bytesTransferredOut":{}}},"#,
                dice.hex(76),
                dice.below(1_000_000)
            ),
            _ => String::new(),
        };
        let resources = match service {
            "s3" => {
                r#""resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::corp-data-lake/events/"},{"accountId":"111111111111","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::corp-data-lake"}],"#
            }
            "kms" => {
                r#""resources":[{"accountId":"111111111111","type":"AWS::KMS::Key","ARN":"arn:aws:kms:eu-central-1:111111111111:key/5fbe0c5e-1f5a-4f4e-9c5b-3a1d2a7c9e10"}],"#
            }
            _ => "",
        };
        format!(
            r#"{{"eventVersion":"1.11","userIdentity":{identity},"eventTime":"{time}","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"eu-central-1","sourceIPAddress":"{address}","userAgent":"{agent}",{failed}"requestParameters":{parameters},"responseElements":null,{extra}"requestID":"{}","eventID":"{}","readOnly":{read},{resources}"eventType":"AwsApiCall","managementEvent":{},"recipientAccountId":"111111111111","eventCategory":"{category}","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.eu-central-1.amazonaws.com"}}}}"#,
            dice.uuid(),
            dice.uuid(),
            !call.data,
        )
    }
}

/// `userIdentity`, the user agent and the address: roles for the most part, some users, and services for AssumeRole.
fn caller(dice: &mut Dice, call: &Call) -> (String, String, String) {
    if call.name == "AssumeRole" {
        let service = dice.pick(&["ec2.amazonaws.com", "lambda.amazonaws.com", "config.amazonaws.com", "eks.amazonaws.com"]);
        return (format!(r#"{{"type":"AWSService","invokedBy":"{service}"}}"#), service.to_owned(), service.to_owned());
    }
    let address = format!("10.{}.{}.{}", dice.below(4), dice.below(256), dice.below(256));
    if dice.below(5) == 0 {
        let user = dice.pick(&["alice", "bob", "build-agent", "metrics-exporter"]);
        let identity = format!(
            r#"{{"type":"IAMUser","principalId":"AIDA{}","arn":"arn:aws:iam::111111111111:user/{user}","accountId":"111111111111","accessKeyId":"AKIA{}","userName":"{user}"}}"#,
            dice.upper(17),
            dice.upper(16)
        );
        return (identity, "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux#6.12 md/arch#x86_64 lang/python#3.13.7 md/prompt#off md/command#s3.cp".to_owned(), address);
    }
    let role = dice.pick(&["eks-node", "data-pipeline", "ci-deploy", "lambda-orders"]);
    let (id, session) = (dice.upper(17), dice.hex(17));
    let identity = format!(
        r#"{{"type":"AssumedRole","principalId":"AROA{id}:i-{session}","arn":"arn:aws:sts::111111111111:assumed-role/{role}/i-{session}","accountId":"111111111111","accessKeyId":"ASIA{}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{id}","arn":"arn:aws:iam::111111111111:role/{role}","accountId":"111111111111","userName":"{role}"}},"attributes":{{"creationDate":"2026-11-21T00:00:00Z","mfaAuthenticated":"false"}},"ec2RoleDelivery":"2.0"}}}}"#,
        dice.upper(16)
    );
    let agent = dice.pick(&[
        "aws-sdk-java/2.33.9 md/io#sync md/http#Apache ua/2.1 os/Linux#6.12 lang/java#21.0.8 md/OpenJDK_64-Bit_Server_VM",
        "Boto3/1.40.45 md/Botocore#1.40.45 ua/2.1 os/linux#6.12.46 md/arch#aarch64 lang/python#3.12.11 md/pyimpl#CPython",
        "aws-sdk-go-v2/1.39.2 ua/2.1 os/linux lang/go#1.24.6 md/GOOS#linux md/GOARCH#amd64 api/s3#1.88.3",
    ]);
    (identity, agent.to_owned(), address)
}
