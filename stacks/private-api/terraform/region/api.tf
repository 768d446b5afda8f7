# SPDX-License-Identifier: Apache-2.0
resource "aws_iam_role" "api" {
  name_prefix = "${local.prefix}-apigateway-"
  description = "IAM role for API Gateway with least privilege access in ${local.region}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "apigateway.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
  tags = merge(local.tags, { Name = "${local.prefix}-apigateway-role", Purpose = "API Gateway CloudWatch Logs Access" })
}

resource "aws_iam_role_policy_attachment" "api_logs" {
  role       = aws_iam_role.api.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_vpc_endpoint" "api" {
  service_name        = "com.amazonaws.${local.region}.execute-api"
  vpc_id              = aws_vpc.main.id
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [for s in aws_subnet.private : s.id]
  security_group_ids  = [aws_security_group.api.id]
  private_dns_enabled = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = ["execute-api:Invoke"]
      Resource  = "*"
    }]
  })
  tags = merge(local.tags, { Name = "${local.prefix}-apigw-vpce", Purpose = "Private API Gateway Access" })
}

resource "aws_api_gateway_rest_api" "api" {
  name        = "${local.prefix}-private-api"
  description = "${var.settings.description} Gateway restricted to VPC endpoint in ${local.region}"
  endpoint_configuration {
    types            = ["PRIVATE"]
    vpc_endpoint_ids = [aws_vpc_endpoint.api.id]
  }
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = "execute-api:Invoke"
      Resource  = "arn:aws:execute-api:*:*:*"
      Condition = { StringEquals = { "aws:SourceVpce" = aws_vpc_endpoint.api.id } }
    }]
  })
  tags = merge(local.tags, { Name = "${local.prefix}-private-api", Purpose = "Secure Private API Gateway" })
}
