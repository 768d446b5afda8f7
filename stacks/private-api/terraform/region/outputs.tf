# SPDX-License-Identifier: Apache-2.0
output "vpc" {
  value = aws_vpc.main.id
}

output "security_group" {
  value = aws_security_group.api.id
}

output "key" {
  value = aws_kms_key.main.arn
}

output "api" {
  value = aws_api_gateway_rest_api.api.id
}

output "endpoint" {
  value = aws_vpc_endpoint.api.id
}

output "log_group" {
  value = aws_cloudwatch_log_group.api.name
}

output "bucket" {
  value = aws_s3_bucket.main.bucket
}

output "role" {
  value = aws_iam_role.api.name
}
