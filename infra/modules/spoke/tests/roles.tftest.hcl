# What the roles' documents say, without an account. What IAM does with them is seen in the sandbox.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "222233334444" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws-us-gov" }
  }
}

variables {
  spoke           = jsondecode(file("tests/spoke.json"))
  hub_bus_arn     = "arn:aws-us-gov:events:us-gov-west-1:111122223333:event-bus/cordon"
  organization_id = "o-a1b2c3d4e5"
  external_id     = "external-1"
}

run "without_enforcement_nothing_can_change" {
  command = plan

  assert {
    condition     = keys(aws_iam_role.hub) == ["reader"]
    error_message = "only the reader is made"
  }
  assert {
    condition     = aws_iam_role.forwarder.name == "cordon-forwarder" && aws_iam_role.forwarder.path == "/cordon/"
    error_message = "the forwarder is there, at its path"
  }
}

run "each_role_trusts_its_own_function_of_the_hub" {
  command = plan

  variables {
    enforcement = true
  }

  assert {
    condition     = keys(aws_iam_role.hub) == ["containment", "documents", "reader", "restoration"]
    error_message = "four roles are made"
  }
  assert {
    condition = alltrue([
      for role, made in aws_iam_role.hub : alltrue([
        for statement in jsondecode(made.assume_role_policy).Statement :
        statement.Principal.AWS == "arn:aws-us-gov:iam::111122223333:root" &&
        jsonencode(statement.Condition.ArnEquals["aws:PrincipalArn"]) == jsonencode([
          for function in var.spoke.holders[role] : "arn:aws-us-gov:iam::111122223333:role/cordon-${function}"
        ]) &&
        statement.Condition.StringEquals["aws:PrincipalOrgID"] == "o-a1b2c3d4e5"
      ])
    ])
    error_message = "the trust names the hub's root, one role, and the organisation"
  }
  assert {
    condition = alltrue([
      for role, made in aws_iam_role.hub :
      jsondecode(made.assume_role_policy).Statement[0].Action == "sts:AssumeRole" &&
      jsondecode(made.assume_role_policy).Statement[0].Condition.StringEquals["sts:ExternalId"] == "external-1" &&
      contains(jsondecode(made.assume_role_policy).Statement[0].Condition.StringLike["sts:SourceIdentity"], "inc-*")
    ])
    error_message = "nobody comes in without the external id and an incident's name"
  }
  assert {
    condition     = alltrue([for made in aws_iam_role.hub : made.max_session_duration == 3600])
    error_message = "no session is longer than it must be"
  }
}

run "what_changes_is_denied_on_what_is_protected" {
  command = plan

  variables {
    enforcement = true
  }

  assert {
    condition = alltrue([
      for role in ["containment", "documents", "restoration"] : anytrue([
        for statement in jsondecode(aws_iam_role_policy.hub[role].policy).Statement :
        statement.Effect == "Deny" && try(length([for action in statement.NotAction : action if !can(regex(":(Get|List)", action))]) == 0, false) && length(setsubtract([
          "arn:aws-us-gov:iam::222233334444:user/break-glass-*",
          "arn:aws-us-gov:iam::222233334444:role/cordon/*",
          "arn:aws-us-gov:iam::222233334444:policy/cordon/*",
          "arn:aws-us-gov:iam::222233334444:role/OrganizationAccountAccessRole",
        ], statement.Resource)) == 0
      ])
    ])
    error_message = "each role that changes has the Deny"
  }
  assert {
    condition = anytrue([
      for statement in jsondecode(aws_iam_role_policy.hub["reader"].policy).Statement :
      statement.Effect == "Deny" && length([for action in try(statement.NotAction, ["iam:CreateUser"]) : action if !can(regex(":(Get|List|Describe|Lookup)", action))]) == 0
    ])
    error_message = "the reader reads, whatever else is attached to it"
  }
}

run "only_restoration_takes_off_and_gives" {
  command = plan

  variables {
    enforcement = true
  }

  assert {
    condition = alltrue(flatten([
      for role in ["containment", "documents"] : [
        for statement in jsondecode(aws_iam_role_policy.hub[role].policy).Statement : [
          for action in flatten([statement.Action]) : !can(regex("Delete|Detach|Remove|Add|UpdateAssume|Create|PassRole|:Tag|:Untag", action))
        ] if statement.Effect == "Allow"
      ]
    ]))
    error_message = "containment and documents take nothing off"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.hub["containment"].policy).Statement :
      jsonencode(values(statement.Condition.ArnEquals)) == jsonencode(["arn:aws-us-gov:iam::aws:policy/AWSDenyAll"])
      if statement.Effect == "Allow" && length([for action in flatten([try(statement.Action, [])]) : action if !can(regex(":(Get|List)|UpdateAccessKey", action))]) > 0
    ])
    error_message = "containment attaches a deny and nothing else"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.hub["restoration"].policy).Statement :
      statement.Condition.Null["aws:TagKeys"] == "false" && length(statement.Condition["ForAllValues:StringEquals"]["aws:TagKeys"]) > 0
      if statement.Effect == "Allow" && length([for action in flatten([try(statement.Action, [])]) : action if can(regex(":Tag|:Untag", action))]) > 0
    ])
    error_message = "no tag but the exceptions' own"
  }
}

run "a_pattern_is_no_role_of_the_hub" {
  command = plan

  variables {
    spoke = merge(jsondecode(file("tests/spoke.json")), { holders = { reader = ["*"], containment = ["a"], documents = ["b"], restoration = ["c"] } })
  }

  expect_failures = [var.spoke]
}

run "one_function_of_the_hub_has_one_part" {
  command = plan

  variables {
    spoke = merge(jsondecode(file("tests/spoke.json")), { holders = { reader = ["a"], containment = ["a"], documents = ["b"], restoration = ["c"] } })
  }

  expect_failures = [var.spoke]
}

run "a_manifest_without_a_role_is_of_another_version" {
  command = plan

  variables {
    spoke = merge(jsondecode(file("tests/spoke.json")), { policies = { reader = {} } })
  }

  expect_failures = [var.spoke]
}
