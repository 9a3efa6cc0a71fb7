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
  hub_bus_arn     = "arn:aws-us-gov:events:us-gov-west-1:111122223333:event-bus/cordon"
  organization_id = "o-a1b2c3d4e5"
  external_id     = "external-1"
  never_touch     = ["user/break-glass-*"]
  hub_role_arns = {
    reader      = ["arn:aws-us-gov:iam::111122223333:role/cordon/cordon-check-exceptions"]
    containment = ["arn:aws-us-gov:iam::111122223333:role/cordon/cordon-contain"]
    documents   = ["arn:aws-us-gov:iam::111122223333:role/cordon/cordon-documents"]
    restoration = ["arn:aws-us-gov:iam::111122223333:role/cordon/cordon-restore"]
  }
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
        jsonencode(statement.Condition.ArnEquals["aws:PrincipalArn"]) == jsonencode(var.hub_role_arns[role]) &&
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
        statement.Effect == "Deny" && statement.Action == "iam:*" && length(setsubtract([
          "arn:aws-us-gov:iam::222233334444:user/break-glass-*",
          "arn:aws-us-gov:iam::222233334444:role/cordon/*",
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
          for action in flatten([statement.Action]) : !can(regex("Delete|Detach|Remove|Add|UpdateAssume|Create|PassRole|Tag", action))
        ] if statement.Effect == "Allow"
      ]
    ]))
    error_message = "containment and documents take nothing off"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.hub["containment"].policy).Statement :
      jsonencode(values(statement.Condition.ArnEquals)) == jsonencode([["arn:aws-us-gov:iam::aws:policy/AWSDenyAll"]])
      if statement.Effect == "Allow" && statement.Sid != "SwitchKeysOff"
    ])
    error_message = "containment attaches a deny and nothing else"
  }
  assert {
    condition     = length([for s in jsondecode(aws_iam_role_policy.hub["restoration"].policy).Statement : s if s.Sid == "RestartTrails"]) == 0
    error_message = "without a trail there is no statement for trails"
  }
}

run "a_pattern_is_no_role_of_the_hub" {
  command = plan

  variables {
    hub_role_arns = { reader = ["arn:aws:iam::111122223333:role/cordon/*"] }
  }

  expect_failures = [var.hub_role_arns]
}

run "one_role_of_the_hub_has_one_part" {
  command = plan

  variables {
    hub_role_arns = {
      reader      = ["arn:aws:iam::111122223333:role/cordon/one"]
      restoration = ["arn:aws:iam::111122223333:role/cordon/one"]
    }
  }

  expect_failures = [var.hub_role_arns]
}

run "roles_of_two_accounts_are_no_hub" {
  command = plan

  variables {
    hub_role_arns = {
      reader      = ["arn:aws:iam::111122223333:role/cordon/one"]
      restoration = ["arn:aws:iam::444455556666:role/cordon/two"]
    }
  }

  expect_failures = [var.hub_role_arns]
}

run "a_role_that_nobody_assumes_is_not_made" {
  command = plan

  variables {
    enforcement   = true
    hub_role_arns = { reader = ["arn:aws:iam::111122223333:role/cordon/one"] }
  }

  expect_failures = [aws_iam_role.hub]
}

run "whoever_breaks_the_glass_is_named" {
  command = plan

  variables {
    never_touch = []
  }

  expect_failures = [var.never_touch]
}
