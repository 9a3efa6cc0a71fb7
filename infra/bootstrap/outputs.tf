output "bucket" {
  description = "The state bucket."
  value       = aws_s3_bucket.state.bucket
}

output "backend_hcl" {
  description = "What belongs into hub/backend.hcl."
  value = join("\n", concat(
    [
      "bucket  = \"${aws_s3_bucket.state.bucket}\"",
      "key     = \"cordon/hub.tfstate\"",
      "region  = \"${var.region}\"",
      "encrypt = true",
    ],
    var.lock_table ? ["dynamodb_table = \"${aws_dynamodb_table.lock[0].name}\""] : ["use_lockfile = true"],
    [""],
  ))
}
