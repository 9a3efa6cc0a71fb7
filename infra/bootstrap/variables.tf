variable "region" {
  description = "Where the bucket lies."
  type        = string
  default     = "us-east-1"
}

variable "bucket" {
  description = "The bucket's name; by default made from the account and the region, so that it is nobody else's."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,57}$", var.bucket))
    error_message = "The bucket's name must be 2 to 58 characters: lower-case letters, digits, dots and hyphens."
  }
}

variable "kms_key_arn" {
  description = "A KMS key of your own for the state; null for S3's own encryption."
  type        = string
  default     = null
}

variable "lock_table" {
  description = "Whether to make a DynamoDB lock table as well. Terraform 1.10 and newer lock in the bucket itself."
  type        = bool
  default     = false
}
