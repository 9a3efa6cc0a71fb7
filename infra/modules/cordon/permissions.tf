# What each function may do, one document a function. Only the remediator can change IAM, only in mode `enforce`, only in scope.

data "aws_iam_policy_document" "function" {
  for_each = local.functions

  source_policy_documents = [
    data.aws_iam_policy_document.logs[each.key].json,
    data.aws_iam_policy_document.table.json,
    data.aws_iam_policy_document.spokes[each.key].json,
    {
      classify          = data.aws_iam_policy_document.classify.json
      check-exceptions  = data.aws_iam_policy_document.check.json
      notify            = data.aws_iam_policy_document.notify.json
      wait-for-approval = data.aws_iam_policy_document.ask_and_answer.json
      slack-callback    = data.aws_iam_policy_document.slack_callback.json
      remediate         = data.aws_iam_policy_document.remediate.json
    }[each.key],
  ]
}

data "aws_iam_policy_document" "logs" {
  for_each = local.functions

  statement {
    sid       = "WriteOwnLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.name}-${each.key}:*"]
  }

  dynamic "statement" {
    for_each = var.tracing ? ["xray"] : []

    content {
      sid       = "SendTraces"
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"] # X-Ray knows no resources for these.
    }
  }
}

# The incidents. Nothing is ever deleted through this: entries of a timeline are only added, and what expires does so by
# `expires_at`.
# A transaction is authorised as the actions of its items.
data "aws_iam_policy_document" "table" {
  statement {
    sid = "IncidentsTable"
    actions = [
      "dynamodb:ConditionCheckItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = [aws_dynamodb_table.incidents.arn]
  }
}

data "aws_iam_policy_document" "read_secret" {
  statement {
    sid       = "ReadSlackSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.slack.arn]
  }
}

data "aws_iam_policy_document" "classify" {
  statement {
    sid       = "QueryIndexes"
    actions   = ["dynamodb:Query"]
    resources = ["${aws_dynamodb_table.incidents.arn}/index/*"]
  }

  statement {
    sid = "ReadWhoItIsAndWhatWasWritten"
    actions = [
      "iam:GetGroup",
      "iam:GetGroupPolicy",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:GetUser",
      "iam:GetUserPolicy",
    ]
    resources = ["${local.iam}:group/*", "${local.iam}:role/*", "${local.iam}:user/*"]
  }

  statement {
    sid       = "ReadWhatAPolicyGrants"
    actions   = ["iam:GetPolicy", "iam:GetPolicyVersion"]
    resources = ["${local.iam}:policy/*", "arn:${local.partition}:iam::aws:policy/*"]
  }
}

data "aws_iam_policy_document" "read_principals" {
  statement {
    sid = "ReadPrincipals"
    actions = [
      "iam:GetGroup",
      "iam:GetGroupPolicy",
      "iam:GetLoginProfile",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:GetUser",
      "iam:GetUserPolicy",
      "iam:ListAccessKeys",
      "iam:ListAttachedGroupPolicies",
      "iam:ListAttachedRolePolicies",
      "iam:ListAttachedUserPolicies",
      "iam:ListGroupsForUser",
      "iam:ListRolePolicies",
      "iam:ListRoleTags",
      "iam:ListUserPolicies",
      "iam:ListUserTags",
    ]
    resources = ["${local.iam}:group/*", "${local.iam}:role/*", "${local.iam}:user/*"]
  }

  statement {
    sid       = "ReadPolicies"
    actions   = ["iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions"]
    resources = ["${local.iam}:policy/*"]
  }

  # The request names a key, not its user, so that the user's ARN is not always there to be judged by.
  statement {
    sid       = "ReadWhatAKeyWasUsedFor"
    actions   = ["iam:GetAccessKeyLastUsed"]
    resources = ["*"]
  }

  statement {
    sid       = "ReadTrails"
    actions   = ["cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus"]
    resources = ["arn:${local.partition}:cloudtrail:*:${local.account}:trail/*"]
  }
}

data "aws_iam_policy_document" "check" {
  source_policy_documents = [data.aws_iam_policy_document.read_principals.json]
}

data "aws_iam_policy_document" "notify" {
  source_policy_documents = [data.aws_iam_policy_document.read_secret.json]

  statement {
    sid       = "PublishAlerts"
    actions   = ["sns:Publish"]
    resources = concat([aws_sns_topic.alerts.arn], var.alert_topic_arns)
  }

  dynamic "statement" {
    for_each = var.findings_on_bus ? [local.bus_name] : []

    content {
      sid       = "PutFindingsOnTheBus"
      actions   = ["events:PutEvents"]
      resources = ["arn:${local.partition}:events:${local.region}:${local.account}:event-bus/${statement.value}"]

      # Under no other source, such as one that a rule of somebody else's trusts. A request with several events has several
      # values; AWS always sends both keys with this action.
      condition {
        test     = "ForAllValues:StringEquals"
        variable = "events:source"
        values   = ["cordon"]
      }

      condition {
        test     = "ForAllValues:StringEquals"
        variable = "events:detail-type"
        values   = ["Cordon Detection Finding"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.security_hub ? ["default"] : []

    content {
      sid       = "ImportFindings"
      actions   = ["securityhub:BatchImportFindings"]
      resources = ["arn:${local.partition}:securityhub:${local.region}:${local.account}:product/${local.account}/${statement.value}"]
    }
  }
}

# Both can complete a task: slack-callback with a click, wait-for-approval with a decision that was made while its state was being
# retried. A denial is an answer like another, so nobody needs to fail a task.
data "aws_iam_policy_document" "ask_and_answer" {
  source_policy_documents = [data.aws_iam_policy_document.read_secret.json]

  statement {
    sid       = "AnswerWaitingTasks"
    actions   = ["states:SendTaskSuccess"]
    resources = length(var.task_token_resources) == 0 ? [local.state_machine_arn] : var.task_token_resources
  }
}

# A click on Undo starts an execution, which does nothing without the wish that the same function wrote into the table.
data "aws_iam_policy_document" "slack_callback" {
  source_policy_documents = [data.aws_iam_policy_document.ask_and_answer.json]

  statement {
    sid       = "StartAnUndo"
    actions   = ["states:StartExecution"]
    resources = [local.state_machine_arn]
  }
}

locals {
  # Any policy of the account's own can be the administrator's under another name.
  remediable_policies   = concat(var.remediable_policy_arns, ["${local.iam}:policy/*"])
  remediable_principals = [for resource in var.remediation_scope : "${local.iam}:${resource}" if !startswith(resource, "policy/")]
  editable_policies     = [for resource in var.remediation_scope : "${local.iam}:${resource}" if startswith(resource, "policy/")]
  editable_trails       = [for trail in var.remediable_trails : "arn:${local.partition}:cloudtrail:*:${local.account}:trail/${trail}"]

  # AWS's own policy that denies everything: the only one that a remedy attaches.
  deny_all = "arn:${local.partition}:iam::aws:policy/AWSDenyAll"
}

data "aws_iam_policy_document" "remediate" {
  # In a dry run what follows is not there at all, so that nothing the function believes can make it change anything.
  source_policy_documents = [data.aws_iam_policy_document.read_principals.json]

  dynamic "statement" {
    for_each = var.mode == "enforce" ? ["detach-policy"] : []

    content {
      # Attaching is undoing: what the Undo button restores. The function attaches only what a snapshot of its own says.
      sid = "DetachAndAttachAgain"
      actions = [
        "iam:AttachGroupPolicy",
        "iam:AttachRolePolicy",
        "iam:AttachUserPolicy",
        "iam:DetachGroupPolicy",
        "iam:DetachRolePolicy",
        "iam:DetachUserPolicy",
      ]
      resources = local.remediable_principals

      condition {
        test     = "ArnLike"
        variable = "iam:PolicyARN"
        values   = local.remediable_policies
      }
    }
  }

  dynamic "statement" {
    for_each = var.mode == "enforce" ? ["set"] : []

    content {
      # Deleting is undoing, and the end of a containment that went ahead of a question and was denied. Denies are inline
      # policies, and IAM has no condition on an inline policy's name. What is not written here, such as deleting a user, a role
      # or a key, no remedy does.
      sid = "SetAndTakeBack"
      actions = [
        "iam:DeleteGroupPolicy",
        "iam:DeleteLoginProfile",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:DeleteUserPermissionsBoundary",
        "iam:DeleteUserPolicy",
        "iam:PutGroupPolicy",
        "iam:PutRolePolicy",
        "iam:PutUserPolicy",
        "iam:RemoveUserFromGroup",
        "iam:UpdateAccessKey",
        "iam:UpdateAssumeRolePolicy",
      ]
      resources = local.remediable_principals
    }
  }

  dynamic "statement" {
    for_each = var.mode == "enforce" ? ["deny-all"] : []

    content {
      sid       = "AttachTheDeny"
      actions   = ["iam:AttachRolePolicy", "iam:AttachUserPolicy", "iam:DetachRolePolicy", "iam:DetachUserPolicy"]
      resources = local.remediable_principals

      condition {
        test     = "ArnEquals"
        variable = "iam:PolicyARN"
        values   = [local.deny_all]
      }
    }
  }

  dynamic "statement" {
    for_each = var.mode == "enforce" ? ["boundary"] : []

    content {
      sid       = "SetBoundary"
      actions   = ["iam:PutRolePermissionsBoundary", "iam:PutUserPermissionsBoundary"]
      resources = local.remediable_principals

      # To the deny, or back to one of the account's own.
      condition {
        test     = "ArnLike"
        variable = "iam:PermissionsBoundary"
        values   = [local.deny_all, "${local.iam}:policy/*"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.mode == "enforce" ? ["tags"] : []

    content {
      sid       = "RestoreExceptionTags"
      actions   = ["iam:TagRole", "iam:TagUser", "iam:UntagRole", "iam:UntagUser"]
      resources = local.remediable_principals

      condition {
        test     = "ForAllValues:StringEquals"
        variable = "aws:TagKeys"
        values   = var.exception_tag_keys
      }
    }
  }

  dynamic "statement" {
    for_each = var.mode == "enforce" && length(local.editable_policies) > 0 ? ["versions"] : []

    content {
      sid       = "RestoreVersions"
      actions   = ["iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion"]
      resources = local.editable_policies
    }
  }

  dynamic "statement" {
    for_each = var.mode == "enforce" && length(local.editable_trails) > 0 ? ["trails"] : []

    content {
      sid       = "RestartTrails"
      actions   = ["cloudtrail:PutEventSelectors", "cloudtrail:StartLogging"]
      resources = local.editable_trails
    }
  }

  # Whatever the scope says, Cordon does not touch itself.
  statement {
    sid    = "NeverItself"
    effect = "Deny"
    actions = [
      "iam:AttachRolePolicy",
      "iam:DeleteRolePermissionsBoundary",
      "iam:DeleteRolePolicy",
      "iam:DetachRolePolicy",
      "iam:PutRolePermissionsBoundary",
      "iam:PutRolePolicy",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
    ]
    resources = local.own_roles
  }
}
