# What each role may do, by the resource that AWS authorises the call on.

locals {
  descriptions = {
    reader      = "Lets Cordon read who somebody is and whether this account is seen."
    containment = "Lets Cordon attach a deny, set one as a boundary, and switch access keys off."
    documents   = "Lets Cordon write inline policies that deny. IAM cannot judge what they say."
    restoration = "Lets Cordon give a former state back, after a recorded decision."
  }

  in_scope     = { for kind in ["user", "role", "group", "policy"] : kind => [for part in var.scope : "${local.iam}:${part}" if startswith(part, "${kind}/")] }
  principals   = concat(local.in_scope.user, local.in_scope.role, local.in_scope.group)
  users        = length(local.in_scope.user) > 0 ? local.in_scope.user : ["${local.iam}:user/none-is-in-scope"]
  deny_all     = "arn:${local.partition}:iam::aws:policy/AWSDenyAll"
  denies       = concat([local.deny_all], var.deny_policy_arns)
  attached_own = "${local.iam}:policy/*"

  # A Deny that no scope and no mistake of the hub's overrules. The organisation's own way in is not Cordon's to close, and
  # StackSets' role makes what is here.
  protected = concat(
    [for part in var.never_touch : "${local.iam}:${part}"],
    [
      "${local.iam}:role${var.role_path}*",
      "${local.iam}:policy${var.role_path}*",
      "${local.iam}:role/OrganizationAccountAccessRole",
      "${local.iam}:role/stacksets-exec-*",
    ],
  )

  never = {
    Sid      = "Never"
    Effect   = "Deny"
    Action   = "iam:*"
    Resource = local.protected
  }

  reads = [
    "cloudtrail:DescribeTrails",
    "cloudtrail:GetEventSelectors",
    "cloudtrail:GetTrailStatus",
    "cloudtrail:LookupEvents",
    "events:DescribeRule",
    "events:ListRules",
    "events:ListTargetsByRule",
    "iam:GetAccessKeyLastUsed",
    "iam:GetGroup",
    "iam:GetGroupPolicy",
    "iam:GetLoginProfile",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:GetUser",
    "iam:GetUserPolicy",
    "iam:ListAccessKeys",
    "iam:ListAttachedGroupPolicies",
    "iam:ListAttachedRolePolicies",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupPolicies",
    "iam:ListGroupsForUser",
    "iam:ListPolicyVersions",
    "iam:ListRolePolicies",
    "iam:ListRoleTags",
    "iam:ListUserPolicies",
    "iam:ListUserTags",
  ]

  # In a list, because an object's attributes have one type only where all have it.
  restoration_parts = [
    {
      Sid    = "GiveBackToAPrincipal"
      Effect = "Allow"
      Action = [
        "iam:AddUserToGroup",
        "iam:DeleteGroupPolicy",
        "iam:DeleteLoginProfile",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:DeleteUserPermissionsBoundary",
        "iam:DeleteUserPolicy",
        "iam:DetachGroupPolicy",
        "iam:DetachRolePolicy",
        "iam:DetachUserPolicy",
        "iam:PutGroupPolicy",
        "iam:PutRolePolicy",
        "iam:PutUserPolicy",
        "iam:RemoveUserFromGroup",
        "iam:UpdateAccessKey",
        "iam:UpdateAssumeRolePolicy",
      ]
      Resource  = local.principals
      Condition = {}
    },
    {
      Sid       = "AttachAgain"
      Effect    = "Allow"
      Action    = ["iam:AttachGroupPolicy", "iam:AttachRolePolicy", "iam:AttachUserPolicy"]
      Resource  = local.principals
      Condition = { ArnLike = { "iam:PolicyARN" = concat(var.restorable_policy_arns, [local.attached_own]) } }
    },
    {
      Sid       = "SetAFormerBoundary"
      Effect    = "Allow"
      Action    = ["iam:PutRolePermissionsBoundary", "iam:PutUserPermissionsBoundary"]
      Resource  = local.principals
      Condition = { ArnLike = { "iam:PermissionsBoundary" = concat(var.restorable_policy_arns, [local.attached_own]) } }
    },
    {
      Sid       = "RestoreExceptionTags"
      Effect    = "Allow"
      Action    = ["iam:TagRole", "iam:TagUser", "iam:UntagRole", "iam:UntagUser"]
      Resource  = local.principals
      Condition = { "ForAllValues:StringEquals" = { "aws:TagKeys" = var.exception_tag_keys }, Null = { "aws:TagKeys" = "false" } }
    },
    {
      Sid       = "RestoreVersions"
      Effect    = "Allow"
      Action    = ["iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion"]
      Resource  = local.in_scope.policy
      Condition = {}
    },
    {
      Sid       = "RestartTrails"
      Effect    = "Allow"
      Action    = ["cloudtrail:PutEventSelectors", "cloudtrail:StartLogging"]
      Resource  = [for name in var.restorable_trails : "arn:${local.partition}:cloudtrail:*:${local.account}:trail/${name}"]
      Condition = {}
    },
  ]

  permissions = {
    reader = {
      Version = "2012-10-17"
      Statement = [
        { Sid = "Read", Effect = "Allow", Action = local.reads, Resource = "*" },
        # Whatever is attached to this role later, it reads.
        { Sid = "NothingElse", Effect = "Deny", NotAction = local.reads, Resource = "*" },
      ]
    }

    # Nothing here takes a deny off, and nothing grants, but that a key can be switched on as well as off: IAM has no condition
    # on the status. The hub reports such a call as critical.
    containment = {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "AttachADeny"
          Effect    = "Allow"
          Action    = ["iam:AttachRolePolicy", "iam:AttachUserPolicy"]
          Resource  = local.principals
          Condition = { ArnEquals = { "iam:PolicyARN" = local.denies } }
        },
        {
          Sid       = "SetADenyAsBoundary"
          Effect    = "Allow"
          Action    = ["iam:PutRolePermissionsBoundary", "iam:PutUserPermissionsBoundary"]
          Resource  = local.principals
          Condition = { ArnEquals = { "iam:PermissionsBoundary" = local.denies } }
        },
        { Sid = "SwitchKeysOff", Effect = "Allow", Action = "iam:UpdateAccessKey", Resource = local.users },
        local.never,
      ]
    }

    documents = {
      Version = "2012-10-17"
      Statement = [
        {
          Sid      = "WriteADeny"
          Effect   = "Allow"
          Action   = ["iam:PutGroupPolicy", "iam:PutRolePolicy", "iam:PutUserPolicy"]
          Resource = local.principals
        },
        local.never,
      ]
    }

    restoration = {
      Version = "2012-10-17"
      Statement = concat(
        [for part in local.restoration_parts : { for key, value in part : key => value if key != "Condition" || value != {} } if length(part.Resource) > 0],
        [local.never],
      )
    }
  }
}
