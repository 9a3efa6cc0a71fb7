# One account's Cordon: what the names, ARNs and build products are. Everything else stands in the file named for it.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  manifest = jsondecode(file("${var.artifacts}/manifest.json"))

  # The state machine's functions and slack-callback know of each other only by these ARNs, which are spelled out because a
  # reference would be a circle: the state machine needs the functions, and the functions are told the state machine.
  state_machine_arn = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${var.name}"

  iam = "arn:${local.partition}:iam::${local.account}"
}
