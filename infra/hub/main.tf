# Cordon in the account that it watches. IAM reports its changes in us-east-1 only, so it stands there.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 7.0"
    }
  }

  # The rest is in backend.hcl: terraform init -backend-config=backend.hcl
  backend "s3" {}
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  dynamic "assume_role" {
    for_each = var.deploy_role_arn == null ? [] : [var.deploy_role_arn]

    content {
      role_arn     = assume_role.value
      session_name = "cordon-deploy"
    }
  }

  default_tags {
    tags = merge({ application = "cordon" }, var.tags)
  }
}

module "cordon" {
  source = "../modules/cordon"

  name                       = var.name
  artifacts                  = var.artifacts
  mode                       = var.mode
  remediation_scope          = var.remediation_scope
  remediable_policy_arns     = var.remediable_policy_arns
  remediable_trails          = var.remediable_trails
  exception_tag_keys         = var.exception_tag_keys
  event_bus                  = var.event_bus
  organization_id            = var.organization_id
  event_rule_state           = var.event_rule_state
  approval_timeout_seconds   = var.approval_timeout_seconds
  escalation_timeout_seconds = var.escalation_timeout_seconds
  alert_email                = var.alert_email
  alert_topic_arns           = var.alert_topic_arns
  findings_on_bus            = var.findings_on_bus
  security_hub               = var.security_hub
  log_retention_days         = var.log_retention_days
  tracing                    = var.tracing
  spoke_external_id          = var.spoke_external_id
}
