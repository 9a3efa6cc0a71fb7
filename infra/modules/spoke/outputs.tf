output "forwarder_role_arn" {
  description = "For each `spoke-region`: the role with which its rules forward."
  value       = aws_iam_role.forwarder.arn
}

output "role_arns" {
  description = "The roles that the hub assumes, by what they are for."
  value       = { for role, made in aws_iam_role.hub : role => made.arn }
}
