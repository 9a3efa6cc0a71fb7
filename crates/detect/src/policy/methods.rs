//! The known privilege-escalation methods, each with the calls that it needs and its publication.
//!
//! The first 28 are Rhino Security Labs' list; the others were found later. A method that uses existing resources (a running
//! instance, a function) is reported whether or not the account has one: a document cannot know.

use super::decision::Call;

/// A known way of escalation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// By what rules name it, in `cordon.policy.grants`.
    pub name: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// All of them are needed.
    pub(super) calls: &'static [Call],
}

impl Method {
    /// The actions of its calls, such as `iam:PassRole`. Whoever lacks one of them lacks the method.
    pub fn actions(&self) -> impl Iterator<Item = &'static str> {
        self.calls.iter().map(|call| call.action)
    }
}

const RHINO: &str = "https://github.com/RhinoSecurityLabs/AWS-IAM-Privilege-Escalation";
const HACKING_THE_CLOUD: &str = "https://hackingthe.cloud/aws/exploitation/iam_privilege_escalation/";
const PATHFINDING: &str = "https://pathfinding.cloud/paths/";
const PROWLER: &str =
    "https://github.com/prowler-cloud/prowler/blob/master/prowler/providers/aws/services/iam/lib/privilege_escalation.py";
const REVERSEC: &str = "https://labs.reversec.com/posts/2025/08/another-ecs-privilege-escalation-path";
const BEYONDTRUST: &str = "https://www.beyondtrust.com/blog/entry/aws-agentcore-privilege-escalation";

const ROLE: &str = "arn:{p}:iam::{a}:role/{n}";
const USER: &str = "arn:{p}:iam::{a}:user/{n}";
const FUNCTION: &str = "arn:{p}:lambda:{r}:{a}:function:{n}";
const INSTANCE: &str = "arn:{p}:ec2:{r}:{a}:instance/{n}";
const STACK: &str = "arn:{p}:cloudformation:{r}:{a}:stack/{n}/1";
const STACK_SET: &str = "arn:{p}:cloudformation:{r}:{a}:stackset/{n}:1";
const PROJECT: &str = "arn:{p}:codebuild:{r}:{a}:project/{n}";
const JOB: &str = "arn:{p}:glue:{r}:{a}:job/{n}";
const TRIGGER: &str = "arn:{p}:glue:{r}:{a}:trigger/{n}";
const NOTEBOOK: &str = "arn:{p}:sagemaker:{r}:{a}:notebook-instance/{n}";
const AUTO_SCALING: &str = "arn:{p}:autoscaling:{r}:{a}:autoScalingGroup:1:autoScalingGroupName/{n}";
const LAUNCH_CONFIGURATION: &str = "arn:{p}:autoscaling:{r}:{a}:launchConfiguration:1:launchConfigurationName/{n}";
const LAUNCH_TEMPLATE: &str = "arn:{p}:ec2:{r}:{a}:launch-template/{n}";
const TASK_DEFINITION: &str = "arn:{p}:ecs:{r}:{a}:task-definition/{n}:1";
const INTERPRETER: &str = "arn:{p}:bedrock-agentcore:{r}:{a}:code-interpreter/{n}";
const RUNTIME: &str = "arn:{p}:bedrock-agentcore:{r}:{a}:runtime/{n}";

pub(super) const fn other(action: &'static str, resource: &'static str) -> Call {
    Call { action, resource, passed_to: None, on_oneself: false }
}

/// A call that IAM knows only for all resources.
const fn all(action: &'static str) -> Call {
    other(action, "*")
}

/// On any user.
pub(super) const fn user(action: &'static str) -> Call {
    other(action, USER)
}

/// On any user, or on the caller alone.
const fn oneself(action: &'static str) -> Call {
    Call { on_oneself: true, ..user(action) }
}

pub(super) const fn role(action: &'static str) -> Call {
    other(action, ROLE)
}

pub(super) const fn group(action: &'static str) -> Call {
    other(action, "arn:{p}:iam::{a}:group/{n}")
}

pub(super) const fn policy(action: &'static str) -> Call {
    other(action, "arn:{p}:iam::{a}:policy/{n}")
}

/// Passing any role to a service.
const fn pass(service: &'static str) -> Call {
    Call { action: "iam:PassRole", resource: ROLE, passed_to: Some(service), on_oneself: false }
}

const LAMBDA: Call = pass("lambda.amazonaws.com");
const EC2: Call = pass("ec2.amazonaws.com");
const GLUE: Call = pass("glue.amazonaws.com");
const SAGEMAKER: Call = pass("sagemaker.amazonaws.com");
const ECS_TASKS: Call = pass("ecs-tasks.amazonaws.com");
const CODEBUILD: Call = pass("codebuild.amazonaws.com");
const CLOUDFORMATION: Call = pass("cloudformation.amazonaws.com");
const AGENTCORE: Call = pass("bedrock-agentcore.amazonaws.com");

macro_rules! methods {
    ($($source:expr => { $($name:literal: [$($call:expr),+ $(,)?]),+ $(,)? })+) => {
        &[$($(Method { name: $name, source: $source, calls: &[$($call),+] }),+),+]
    };
}

/// Every method that is known here.
pub const METHODS: &[Method] = methods! {
    RHINO => {
        "create-policy-version": [policy("iam:CreatePolicyVersion")],
        "set-default-policy-version": [policy("iam:SetDefaultPolicyVersion")],
        "pass-role-ec2-run-instances": [EC2, other("ec2:RunInstances", INSTANCE)],
        "create-access-key": [user("iam:CreateAccessKey")],
        "create-login-profile": [user("iam:CreateLoginProfile")],
        "update-login-profile": [user("iam:UpdateLoginProfile")],
        "attach-user-policy": [oneself("iam:AttachUserPolicy")],
        "attach-group-policy": [group("iam:AttachGroupPolicy")],
        "attach-role-policy": [role("iam:AttachRolePolicy")],
        "put-user-policy": [oneself("iam:PutUserPolicy")],
        "put-group-policy": [group("iam:PutGroupPolicy")],
        "put-role-policy": [role("iam:PutRolePolicy")],
        "add-user-to-group": [group("iam:AddUserToGroup")],
        // A trust policy that names the caller lets it in without `sts:AssumeRole` of its own.
        "update-assume-role-policy": [role("iam:UpdateAssumeRolePolicy")],
        "pass-role-lambda-create-invoke": [
            LAMBDA,
            other("lambda:CreateFunction", FUNCTION),
            other("lambda:InvokeFunction", FUNCTION),
        ],
        "pass-role-lambda-create-add-permission": [
            LAMBDA,
            other("lambda:CreateFunction", FUNCTION),
            other("lambda:AddPermission", FUNCTION),
        ],
        "pass-role-lambda-create-event-source": [
            LAMBDA,
            other("lambda:CreateFunction", FUNCTION),
            all("lambda:CreateEventSourceMapping"),
        ],
        "lambda-update-function-code": [other("lambda:UpdateFunctionCode", FUNCTION)],
        "pass-role-glue-create-dev-endpoint": [GLUE, other("glue:CreateDevEndpoint", "arn:{p}:glue:{r}:{a}:devEndpoint/{n}")],
        "glue-update-dev-endpoint": [other("glue:UpdateDevEndpoint", "arn:{p}:glue:{r}:{a}:devEndpoint/{n}")],
        "pass-role-cloudformation-create-stack": [CLOUDFORMATION, other("cloudformation:CreateStack", STACK)],
        "pass-role-data-pipeline": [
            pass("datapipeline.amazonaws.com"), all("datapipeline:CreatePipeline"),
            other("datapipeline:PutPipelineDefinition", "arn:{p}:datapipeline:{r}:{a}:pipeline/{n}"),
        ],
        "codestar-create-project-from-template": [all("codestar:CreateProjectFromTemplate")],
        "pass-role-codestar-create-project": [pass("codestar.amazonaws.com"), all("codestar:CreateProject")],
        "codestar-create-project-associate-team-member": [
            all("codestar:CreateProject"), other("codestar:AssociateTeamMember", "arn:{p}:codestar:{r}:{a}:project/{n}"),
        ],
        "lambda-update-function-configuration": [other("lambda:UpdateFunctionConfiguration", FUNCTION)],
        "pass-role-sagemaker-create-notebook": [
            SAGEMAKER,
            other("sagemaker:CreateNotebookInstance", NOTEBOOK),
            other("sagemaker:CreatePresignedNotebookInstanceUrl", NOTEBOOK),
        ],
        "sagemaker-presigned-notebook-url": [other("sagemaker:CreatePresignedNotebookInstanceUrl", NOTEBOOK)],
    }
    HACKING_THE_CLOUD => {
        "delete-user-permissions-boundary": [oneself("iam:DeleteUserPermissionsBoundary")],
        "delete-role-permissions-boundary": [role("iam:DeleteRolePermissionsBoundary")],
        "put-user-permissions-boundary": [oneself("iam:PutUserPermissionsBoundary")],
        "put-role-permissions-boundary": [role("iam:PutRolePermissionsBoundary")],
        "delete-user-policy": [oneself("iam:DeleteUserPolicy")],
        "delete-role-policy": [role("iam:DeleteRolePolicy")],
        "detach-user-policy": [oneself("iam:DetachUserPolicy")],
        "detach-role-policy": [role("iam:DetachRolePolicy")],
        "pass-role-auto-scaling-launch-configuration": [
            EC2,
            other("autoscaling:CreateLaunchConfiguration", LAUNCH_CONFIGURATION),
            other("autoscaling:CreateAutoScalingGroup", AUTO_SCALING),
        ],
        "pass-role-auto-scaling-update": [
            EC2,
            other("autoscaling:CreateLaunchConfiguration", LAUNCH_CONFIGURATION),
            other("autoscaling:UpdateAutoScalingGroup", AUTO_SCALING),
        ],
        "pass-role-auto-scaling-launch-template": [
            EC2,
            other("ec2:CreateLaunchTemplate", LAUNCH_TEMPLATE),
            other("autoscaling:CreateAutoScalingGroup", AUTO_SCALING),
        ],
    }
    PATHFINDING => {
        "assume-any-role": [role("sts:AssumeRole")],
        "pass-role-ec2-request-spot-instances": [
            EC2,
            other("ec2:RequestSpotInstances", "arn:{p}:ec2:{r}:{a}:spot-instances-request/{n}"),
        ],
        "ec2-modify-instance-user-data": [
            other("ec2:ModifyInstanceAttribute", INSTANCE),
            other("ec2:StopInstances", INSTANCE),
            other("ec2:StartInstances", INSTANCE),
        ],
        "ec2-modify-launch-template": [
            other("ec2:CreateLaunchTemplateVersion", LAUNCH_TEMPLATE),
            other("ec2:ModifyLaunchTemplate", LAUNCH_TEMPLATE),
        ],
        "ec2-instance-connect": [other("ec2-instance-connect:SendSSHPublicKey", INSTANCE)],
        "ssm-start-session": [other("ssm:StartSession", INSTANCE)],
        "ssm-send-command": [other("ssm:SendCommand", INSTANCE)],
        "lambda-update-code-and-invoke": [
            other("lambda:UpdateFunctionCode", FUNCTION),
            other("lambda:InvokeFunction", FUNCTION),
        ],
        "lambda-update-code-and-add-permission": [
            other("lambda:UpdateFunctionCode", FUNCTION),
            other("lambda:AddPermission", FUNCTION),
        ],
        "cloudformation-update-stack": [other("cloudformation:UpdateStack", STACK)],
        "cloudformation-change-set": [
            other("cloudformation:CreateChangeSet", STACK),
            other("cloudformation:ExecuteChangeSet", STACK),
        ],
        "pass-role-cloudformation-create-stack-set": [
            CLOUDFORMATION,
            other("cloudformation:CreateStackSet", STACK_SET),
            other("cloudformation:CreateStackInstances", STACK_SET),
        ],
        "pass-role-cloudformation-update-stack-set": [CLOUDFORMATION, other("cloudformation:UpdateStackSet", STACK_SET)],
        "pass-role-codebuild-start-build": [
            CODEBUILD,
            other("codebuild:CreateProject", PROJECT),
            other("codebuild:StartBuild", PROJECT),
        ],
        "pass-role-codebuild-start-build-batch": [
            CODEBUILD,
            other("codebuild:CreateProject", PROJECT),
            other("codebuild:StartBuildBatch", PROJECT),
        ],
        "codebuild-start-build": [other("codebuild:StartBuild", PROJECT)],
        "codebuild-start-build-batch": [other("codebuild:StartBuildBatch", PROJECT)],
        "codedeploy-create-deployment": [
            other("codedeploy:CreateDeployment", "arn:{p}:codedeploy:{r}:{a}:deploymentgroup:{n}/{n}"),
        ],
        "pass-role-ecs-run-task": [ECS_TASKS, all("ecs:RegisterTaskDefinition"), other("ecs:RunTask", TASK_DEFINITION)],
        "pass-role-ecs-create-service": [
            ECS_TASKS,
            all("ecs:RegisterTaskDefinition"),
            other("ecs:CreateService", "arn:{p}:ecs:{r}:{a}:service/{n}/{n}"),
        ],
        "pass-role-ecs-start-task": [ECS_TASKS, all("ecs:RegisterTaskDefinition"), other("ecs:StartTask", TASK_DEFINITION)],
        "ecs-execute-command": [other("ecs:ExecuteCommand", "arn:{p}:ecs:{r}:{a}:task/{n}/{n}")],
        "pass-role-glue-create-job": [GLUE, other("glue:CreateJob", JOB), other("glue:StartJobRun", JOB)],
        "pass-role-glue-create-job-trigger": [GLUE, other("glue:CreateJob", JOB), other("glue:CreateTrigger", TRIGGER)],
        "pass-role-glue-update-job": [GLUE, other("glue:UpdateJob", JOB), other("glue:StartJobRun", JOB)],
        "pass-role-glue-update-job-trigger": [GLUE, other("glue:UpdateJob", JOB), other("glue:CreateTrigger", TRIGGER)],
        "pass-role-sagemaker-training-job": [
            SAGEMAKER,
            other("sagemaker:CreateTrainingJob", "arn:{p}:sagemaker:{r}:{a}:training-job/{n}"),
        ],
        "pass-role-sagemaker-processing-job": [
            SAGEMAKER,
            other("sagemaker:CreateProcessingJob", "arn:{p}:sagemaker:{r}:{a}:processing-job/{n}"),
        ],
        "sagemaker-notebook-lifecycle": [
            other("sagemaker:CreateNotebookInstanceLifecycleConfig", "arn:{p}:sagemaker:{r}:{a}:notebook-instance-lifecycle-config/{n}"),
            other("sagemaker:StopNotebookInstance", NOTEBOOK), other("sagemaker:UpdateNotebookInstance", NOTEBOOK),
            other("sagemaker:StartNotebookInstance", NOTEBOOK),
        ],
        "pass-role-app-runner-create-service": [
            pass("tasks.apprunner.amazonaws.com"),
            other("apprunner:CreateService", "arn:{p}:apprunner:{r}:{a}:service/{n}/1"),
        ],
        "app-runner-update-service": [other("apprunner:UpdateService", "arn:{p}:apprunner:{r}:{a}:service/{n}/1")],
        "pass-role-batch-submit-job": [
            ECS_TASKS,
            other("batch:RegisterJobDefinition", "arn:{p}:batch:{r}:{a}:job-definition/{n}"),
            other("batch:SubmitJob", "arn:{p}:batch:{r}:{a}:job-queue/{n}"),
        ],
        "batch-submit-job": [other("batch:SubmitJob", "arn:{p}:batch:{r}:{a}:job-queue/{n}")],
        "pass-role-braket-create-job": [
            pass("braket.amazonaws.com"),
            other("braket:CreateJob", "arn:{p}:braket:{r}:{a}:job/{n}"),
        ],
        "pass-role-amplify-start-job": [
            pass("amplify.amazonaws.com"), other("amplify:CreateApp", "arn:{p}:amplify:{r}:{a}:apps/{n}"),
            other("amplify:CreateBranch", "arn:{p}:amplify:{r}:{a}:apps/{n}/branches/{n}"),
            other("amplify:StartJob", "arn:{p}:amplify:{r}:{a}:apps/{n}/branches/{n}/jobs/{n}"),
        ],
        "pass-role-cognito-identity-pool": [
            pass("cognito-identity.amazonaws.com"),
            other("cognito-identity:SetIdentityPoolRoles", "arn:{p}:cognito-identity:{r}:{a}:identitypool/{n}"),
        ],
        "pass-role-agentcore-code-interpreter": [
            AGENTCORE,
            other("bedrock-agentcore:CreateCodeInterpreter", INTERPRETER),
            other("bedrock-agentcore:StartCodeInterpreterSession", INTERPRETER),
            other("bedrock-agentcore:InvokeCodeInterpreter", INTERPRETER),
        ],
        "agentcore-invoke-code-interpreter": [
            other("bedrock-agentcore:StartCodeInterpreterSession", INTERPRETER),
            other("bedrock-agentcore:InvokeCodeInterpreter", INTERPRETER),
        ],
    }
    BEYONDTRUST => {
        "pass-role-agentcore-runtime": [
            AGENTCORE,
            other("bedrock-agentcore:CreateAgentRuntime", RUNTIME),
            other("bedrock-agentcore:InvokeAgentRuntimeCommand", RUNTIME),
        ],
        "agentcore-invoke-runtime-command": [other("bedrock-agentcore:InvokeAgentRuntimeCommand", RUNTIME)],
    }
    REVERSEC => {
        "pass-role-ecs-start-task-override": [
            ECS_TASKS,
            other("ecs:StartTask", TASK_DEFINITION),
            other("ecs:RegisterContainerInstance", "arn:{p}:ecs:{r}:{a}:cluster/{n}"),
        ],
    }
    PROWLER => {
        "pass-role-ecs-run-task-override": [ECS_TASKS, other("ecs:RunTask", TASK_DEFINITION)],
    }
};
