# The way into the other accounts of an organisation. Each account has four roles (infra/modules/spoke). The reader and containment
# are assumed by the functions that need them; documents and restoration could give rights, so each stands behind a function of its
# own, which makes nothing but calls that a stored plan has announced.

locals {
  has_spokes = var.organization_id != ""

  # Without the slash before it, as in an ARN.
  spoke_prefix = "${trimprefix(local.manifest.spoke.role_path, "/")}${var.name}-"

  # By the role's word, the hub's functions that may assume it.
  spoke_roles = local.has_spokes ? local.manifest.spoke.holders : {}

  hands = {
    for word, purpose in {
      documents   = "Writes deny documents in other accounts."
      restoration = "Gives a former state back in other accounts."
    } : word => purpose if local.has_spokes
  }

  hand_functions = local.has_spokes ? {
    CORDON_DOCUMENTS_FUNCTION   = "${var.name}-make-documents"
    CORDON_RESTORATION_FUNCTION = "${var.name}-make-restoration"
  } : {}
}

resource "aws_lambda_function" "hand" {
  for_each = local.hands

  function_name    = "${var.name}-make-${each.key}"
  description      = each.value
  role             = aws_iam_role.hand[each.key].arn
  filename         = "${var.artifacts}/${local.manifest.functions["make-call"].zip}"
  source_code_hash = local.manifest.functions["make-call"].sha256_base64
  architectures    = [local.manifest.architecture]
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  memory_size      = 256
  timeout          = 30
  publish          = true

  environment {
    variables = merge(local.environment, { CORDON_POWER = each.key })
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  depends_on = [aws_cloudwatch_log_group.hand, aws_iam_role_policy.hand]
}

resource "aws_cloudwatch_log_group" "hand" {
  for_each = local.hands

  name              = "/aws/lambda/${var.name}-make-${each.key}"
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "hand" {
  for_each = local.hands

  name               = "${var.name}-make-${each.key}"
  description        = each.value
  assume_role_policy = data.aws_iam_policy_document.trust["lambda"].json
}

resource "aws_iam_role_policy" "hand" {
  for_each = local.hands

  name   = "make-${each.key}"
  role   = aws_iam_role.hand[each.key].name
  policy = data.aws_iam_policy_document.hand[each.key].json
}

data "aws_iam_policy_document" "hand" {
  for_each = local.hands

  source_policy_documents = [data.aws_iam_policy_document.table.json]

  statement {
    sid       = "WriteOwnLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.name}-make-${each.key}:*"]
  }

  dynamic "statement" {
    for_each = var.mode == "enforce" ? [each.key] : []

    content {
      sid       = "OpenOtherAccounts"
      actions   = ["sts:AssumeRole", "sts:SetSourceIdentity"]
      resources = ["arn:${local.partition}:iam::*:role/${local.spoke_prefix}${statement.value}"]
    }
  }
}

# What a function of the hub may open in other accounts: the roles that the manifest gives it. In a dry run nothing but the reader.
data "aws_iam_policy_document" "spokes" {
  for_each = local.functions

  dynamic "statement" {
    for_each = {
      for word, functions in local.spoke_roles : word => word
      if contains(functions, each.key) && (word == "reader" || var.mode == "enforce")
    }

    content {
      sid       = "Open${title(statement.key)}"
      actions   = ["sts:AssumeRole", "sts:SetSourceIdentity"]
      resources = ["arn:${local.partition}:iam::*:role/${local.spoke_prefix}${statement.key}"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "remediate" && local.has_spokes && var.mode == "enforce" ? ["hands"] : []

    content {
      sid       = "LetTheirFunctionsMakeCalls"
      actions   = ["lambda:InvokeFunction"]
      resources = [for hand in keys(local.hands) : "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-make-${hand}"]
    }
  }
}
