# The module as a real deployment uses it, on the sandbox's emulator. Nothing here may change what the module makes: only where it
# is made, how short the waits are, and the two things that an emulator needs and production must not have.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 7.0"
    }
  }

  # No backend: the state lies where -state says, and is thrown away with the emulator.
}

provider "aws" {
  region     = "us-east-1"
  access_key = var.access_key
  secret_key = "test"

  max_retries                 = 3
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  endpoints {
    apigatewayv2   = var.endpoint
    cloudwatch     = var.endpoint
    dynamodb       = var.endpoint
    events         = var.endpoint
    iam            = var.endpoint
    lambda         = var.endpoint
    logs           = var.endpoint
    secretsmanager = var.endpoint
    sfn            = var.endpoint
    sns            = var.endpoint
    sqs            = var.endpoint
    sts            = var.endpoint
  }
}

locals {
  external_id = "sandbox-external-id"
}

module "cordon" {
  source = "../modules/cordon"

  name                       = var.name
  artifacts                  = var.artifacts
  mode                       = var.mode
  slack_api_url              = var.slack_api_url
  approval_timeout_seconds   = var.approval_timeout_seconds
  escalation_timeout_seconds = var.escalation_timeout_seconds
  settle_seconds             = var.settle_seconds
  security_hub               = var.security_hub
  organization_id            = var.organization_id
  spoke_external_id          = var.organization_id == "" ? "" : local.external_id
  log_level                  = var.log_level

  # So that a sandbox can be taken away.
  deletion_protection  = false
  secret_recovery_days = 0
  log_retention_days   = 1

  # The emulator's own events are not `aws.*`: a relay puts them on this bus. Production trusts no such source.
  event_bus    = "own"
  relay_source = "cordon.sandbox"

  # The emulator authorises SendTaskSuccess on `*`, not on the token's state machine.
  task_token_resources = ["*"]
}
