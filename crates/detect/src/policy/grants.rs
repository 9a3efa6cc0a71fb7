//! Classifies the grants of a document: administrator, IAM write access, and the known privilege-escalation methods.

use super::Answer;
use super::decision::{Call, Judge};
use super::document::Document;
use super::methods::{METHODS, Method, group, other, policy, role, user};

/// What a document grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// All of IAM and nearly all of everything else.
    pub admin: Answer,
    /// To give any user, group or role any permission.
    pub iam_write: Answer,
    /// The methods of escalation that the document allows, with how far. Those that it does not allow are left out.
    pub methods: Vec<(&'static Method, Answer)>,
}

impl Grants {
    /// The names of what is granted as far as `answer` says: `admin`, `iam-write` and those of the methods.
    pub fn names(&self, answer: Answer) -> impl Iterator<Item = &'static str> {
        let first = [("admin", self.admin), ("iam-write", self.iam_write)];
        let methods = self.methods.iter().map(|(method, how_far)| (method.name, *how_far));
        first.into_iter().chain(methods).filter(move |(_, how_far)| *how_far == answer).map(|(name, _)| name)
    }
}

/// Whoever may do all of these rules the account's IAM.
const CORE: [Call; 10] = [
    user("iam:CreateUser"),
    user("iam:DeleteUser"),
    user("iam:CreateAccessKey"),
    user("iam:AttachUserPolicy"),
    role("iam:CreateRole"),
    role("iam:AttachRolePolicy"),
    role("iam:PutRolePolicy"),
    role("iam:UpdateAssumeRolePolicy"),
    policy("iam:CreatePolicyVersion"),
    role("iam:PassRole"),
];

/// One call of each of the services that matter most. An administrator may lack a few: a deny on a handful of services leaves an
/// administrator.
const BREADTH: [Call; 20] = [
    other("cloudformation:CreateStack", "arn:{p}:cloudformation:{r}:{a}:stack/{n}/1"),
    other("cloudtrail:StopLogging", "arn:{p}:cloudtrail:{r}:{a}:trail/{n}"),
    other("cloudwatch:DeleteAlarms", "arn:{p}:cloudwatch:{r}:{a}:alarm:{n}"),
    other("config:StopConfigurationRecorder", "*"),
    other("dynamodb:PutItem", "arn:{p}:dynamodb:{r}:{a}:table/{n}"),
    other("ec2:TerminateInstances", "arn:{p}:ec2:{r}:{a}:instance/{n}"),
    other("ecr:PutImage", "arn:{p}:ecr:{r}:{a}:repository/{n}"),
    other("ecs:RunTask", "arn:{p}:ecs:{r}:{a}:task-definition/{n}:1"),
    other("events:PutRule", "arn:{p}:events:{r}:{a}:rule/{n}"),
    other("guardduty:DeleteDetector", "arn:{p}:guardduty:{r}:{a}:detector/{n}"),
    other("kms:Decrypt", "arn:{p}:kms:{r}:{a}:key/{n}"),
    other("lambda:CreateFunction", "arn:{p}:lambda:{r}:{a}:function:{n}"),
    other("logs:DeleteLogGroup", "arn:{p}:logs:{r}:{a}:log-group:{n}"),
    other("rds:DeleteDBInstance", "arn:{p}:rds:{r}:{a}:db:{n}"),
    other("route53:ChangeResourceRecordSets", "arn:{p}:route53:::hostedzone/{n}"),
    other("s3:GetObject", "arn:{p}:s3:::{n}/{n}"),
    other("secretsmanager:GetSecretValue", "arn:{p}:secretsmanager:{r}:{a}:secret:{n}"),
    other("sns:Publish", "arn:{p}:sns:{r}:{a}:{n}"),
    other("sqs:SendMessage", "arn:{p}:sqs:{r}:{a}:{n}"),
    other("ssm:SendCommand", "arn:{p}:ssm:{r}:{a}:document/{n}"),
];

/// How many of [`BREADTH`] an administrator has at least.
const ENOUGH: usize = 16;

/// Each of these is enough to write any permission.
const WRITES: [Call; 7] = [
    user("iam:PutUserPolicy"),
    group("iam:PutGroupPolicy"),
    role("iam:PutRolePolicy"),
    user("iam:AttachUserPolicy"),
    group("iam:AttachGroupPolicy"),
    role("iam:AttachRolePolicy"),
    policy("iam:CreatePolicyVersion"),
];

/// Finds out what a document grants.
#[must_use]
pub fn grants(document: &Document) -> Grants {
    let judge = Judge::new(document);
    let methods = METHODS.iter().map(|method| (method, method_answer(&judge, method)));
    Grants {
        admin: admin(&judge),
        iam_write: WRITES.iter().map(|call| judge.answer(*call)).max().unwrap_or(Answer::No),
        methods: methods.filter(|(_, answer)| *answer != Answer::No).collect(),
    }
}

fn admin(judge: &Judge<'_>) -> Answer {
    let core = CORE.iter().map(|call| judge.answer(*call)).min().unwrap_or(Answer::No);
    if core == Answer::No {
        return Answer::No;
    }
    let breadth: Vec<Answer> = BREADTH.iter().map(|call| judge.answer(*call)).collect();
    let at_least = |answer: Answer| breadth.iter().filter(|found| **found >= answer).count() >= ENOUGH;
    match (at_least(Answer::Yes), at_least(Answer::Limited)) {
        (true, _) => core,
        (false, true) => Answer::Limited,
        (false, false) => Answer::No,
    }
}

/// A method needs all of its calls.
fn method_answer(judge: &Judge<'_>, method: &Method) -> Answer {
    let mut answer = Answer::Yes;
    for call in method.calls {
        answer = answer.min(judge.answer(*call));
        if answer == Answer::No {
            break;
        }
    }
    answer
}
