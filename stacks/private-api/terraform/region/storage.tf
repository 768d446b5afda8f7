# SPDX-License-Identifier: Apache-2.0
resource "aws_kms_key" "main" {
  description             = "KMS Customer Managed Key for secure encryption in ${local.region}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Id      = "key-policy-for-secure-infrastructure"
    Statement = [
      {
        Sid       = "Enable IAM User Permissions"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Allow CloudWatch Logs Service"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${local.region}:${local.account}:log-group:${local.log_group}" }
        }
      },
    ]
  })
  tags = merge(local.tags, { Name = "${local.prefix}-kms", Purpose = "Secure encryption for infrastructure components" })
}

resource "aws_kms_alias" "main" {
  name          = "alias/${local.prefix}-secure-key"
  target_key_id = aws_kms_key.main.id
}

resource "aws_cloudwatch_log_group" "api" {
  name              = local.log_group
  retention_in_days = var.settings.retention_in_days
  kms_key_id        = aws_kms_key.main.arn
  tags              = merge(local.tags, { Name = "${local.prefix}-apigw-logs", Purpose = "API Gateway Access Logs" })
}

resource "aws_s3_bucket" "main" {
  bucket        = lower("${local.prefix}-secure-bucket")
  force_destroy = true
  tags          = merge(local.tags, { Name = "${local.prefix}-secure-bucket", Purpose = "Secure data storage with KMS encryption" })
}

resource "aws_s3_bucket_policy" "https" {
  bucket = aws_s3_bucket.main.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyInsecureConnections"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.main.arn, "${aws_s3_bucket.main.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_s3_bucket_server_side_encryption_configuration" "main" {
  bucket = aws_s3_bucket.main.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.main.arn
    }
    bucket_key_enabled = true
  }
}

resource "aws_s3_bucket_public_access_block" "main" {
  bucket                  = aws_s3_bucket.main.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
