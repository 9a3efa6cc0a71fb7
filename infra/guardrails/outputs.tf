output "policy_ids" {
  description = "The policies, by what they protect."
  value       = merge({ for key, policy in aws_organizations_policy.service_control : key => policy.id }, { tags = aws_organizations_policy.tags.id })
}

output "documents" {
  description = "The service control policies as they are attached, to be read before they are."
  value       = local.documents
}
