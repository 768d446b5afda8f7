# SPDX-License-Identifier: Apache-2.0
# Every type of API Gateway that the provider has and this cloud builds; text is what the test changes.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region = "us-east-1"

}
data "aws_caller_identity" "me" {}
locals {
  uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:${data.aws_caller_identity.me.account_id}:function:f/invocations"
}
resource "aws_api_gateway_rest_api" "private" {
  name        = "private"
  description = var.text
  endpoint_configuration {
    types            = ["PRIVATE"]
    vpc_endpoint_ids = ["vpce-0123456789abcdef0"]
  }
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = "*", Action = "execute-api:Invoke", Resource = "arn:aws:execute-api:*:*:*", Condition = { StringEquals = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } } }] })
  tags   = { a = var.text }
}
variable "text" { default = "one" }
resource "aws_api_gateway_rest_api" "api" {
  name                     = "api"
  binary_media_types       = ["image/png"]
  minimum_compression_size = 100
}
resource "aws_api_gateway_resource" "pets" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  parent_id   = aws_api_gateway_rest_api.api.root_resource_id
  path_part   = "pets"
}
resource "aws_api_gateway_resource" "one" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  parent_id   = aws_api_gateway_resource.pets.id
  path_part   = "{id}"
}
resource "aws_api_gateway_model" "m" {
  rest_api_id  = aws_api_gateway_rest_api.api.id
  name         = "Pet"
  content_type = "application/json"
  schema       = jsonencode({ type = "object", description = var.text })
}
resource "aws_api_gateway_request_validator" "v" {
  rest_api_id           = aws_api_gateway_rest_api.api.id
  name                  = "v"
  validate_request_body = true
}
resource "aws_api_gateway_authorizer" "z" {
  rest_api_id     = aws_api_gateway_rest_api.api.id
  name            = "z"
  authorizer_uri  = local.uri
  identity_source = "method.request.header.A"
}
resource "aws_api_gateway_method" "get" {
  rest_api_id          = aws_api_gateway_rest_api.api.id
  resource_id          = aws_api_gateway_resource.one.id
  http_method          = "GET"
  authorization        = "CUSTOM"
  authorizer_id        = aws_api_gateway_authorizer.z.id
  request_validator_id = aws_api_gateway_request_validator.v.id
  request_models       = { "application/json" = aws_api_gateway_model.m.name }
  request_parameters   = { "method.request.path.id" = true, "method.request.querystring.q" = var.text == "one" }
}
resource "aws_api_gateway_method_response" "ok" {
  rest_api_id         = aws_api_gateway_rest_api.api.id
  resource_id         = aws_api_gateway_resource.one.id
  http_method         = aws_api_gateway_method.get.http_method
  status_code         = "200"
  response_parameters = { "method.response.header.X" = true }
  response_models     = { "application/json" = "Empty" }
}
resource "aws_api_gateway_integration" "i" {
  rest_api_id             = aws_api_gateway_rest_api.api.id
  resource_id             = aws_api_gateway_resource.one.id
  http_method             = aws_api_gateway_method.get.http_method
  type                    = "AWS"
  integration_http_method = "POST"
  uri                     = local.uri
  timeout_milliseconds    = var.text == "one" ? 1000 : 2000
  request_templates       = { "application/json" = "{}" }
  request_parameters      = { "integration.request.header.x" = "'${var.text}'" }
}
resource "aws_api_gateway_integration_response" "ok" {
  rest_api_id         = aws_api_gateway_rest_api.api.id
  resource_id         = aws_api_gateway_resource.one.id
  http_method         = aws_api_gateway_method.get.http_method
  status_code         = aws_api_gateway_method_response.ok.status_code
  response_parameters = { "method.response.header.X" = "'1'" }
  response_templates  = { "application/json" = "$input.body" }
  depends_on          = [aws_api_gateway_integration.i]
}
resource "aws_api_gateway_gateway_response" "g" {
  rest_api_id         = aws_api_gateway_rest_api.api.id
  response_type       = "UNAUTHORIZED"
  status_code         = "401"
  response_templates  = { "application/json" = "{\"m\": 1}" }
  response_parameters = { "gatewayresponse.header.A" = "'${var.text}'" }
}
resource "aws_api_gateway_deployment" "d" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  triggers    = { t = var.text }
  depends_on  = [aws_api_gateway_integration_response.ok]
  lifecycle { create_before_destroy = true }
}
resource "aws_api_gateway_stage" "s" {
  rest_api_id   = aws_api_gateway_rest_api.api.id
  deployment_id = aws_api_gateway_deployment.d.id
  stage_name    = "prod"
  variables     = { a = var.text }
  tags          = { t = var.text }
  access_log_settings {
    destination_arn = "arn:aws:logs:us-east-1:${data.aws_caller_identity.me.account_id}:log-group:lg"
    format          = "$context.requestId"
  }
  depends_on = [aws_api_gateway_account.a]
}
resource "aws_api_gateway_method_settings" "all" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  stage_name  = aws_api_gateway_stage.s.stage_name
  method_path = "*/*"
  settings {
    throttling_rate_limit  = 5
    throttling_burst_limit = 2
    metrics_enabled        = var.text == "one"
  }
}
resource "aws_api_gateway_method_settings" "one" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  stage_name  = aws_api_gateway_stage.s.stage_name
  method_path = "${trimprefix(aws_api_gateway_resource.one.path, "/")}/GET"
  settings {
    throttling_rate_limit = 6
  }
}
resource "aws_iam_role" "r" {
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "apigateway.amazonaws.com" }, Action = "sts:AssumeRole" }] })
}
resource "aws_api_gateway_account" "a" {
  cloudwatch_role_arn = aws_iam_role.r.arn
}
resource "aws_api_gateway_api_key" "k" {
  name        = "k"
  description = var.text
}
resource "aws_api_gateway_usage_plan" "p" {
  name        = "p"
  description = var.text
  api_stages {
    api_id = aws_api_gateway_rest_api.api.id
    stage  = aws_api_gateway_stage.s.stage_name
    throttle {
      path        = "/pets/{id}/GET"
      rate_limit  = 3
      burst_limit = 1
    }
  }
  quota_settings {
    limit  = var.text == "one" ? 10 : 20
    period = "DAY"
  }
  throttle_settings {
    rate_limit  = 1.5
    burst_limit = 2
  }
}
resource "aws_api_gateway_usage_plan_key" "pk" {
  key_id        = aws_api_gateway_api_key.k.id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.p.id
}
resource "aws_api_gateway_client_certificate" "c" { description = var.text }
resource "aws_api_gateway_documentation_part" "d" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  location {
    type   = "METHOD"
    method = "GET"
    path   = "/pets"
  }
  properties = "{\"description\":\"${var.text}\"}"
}
resource "aws_api_gateway_documentation_version" "v" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  version     = "1"
  depends_on  = [aws_api_gateway_documentation_part.d]
}
resource "aws_api_gateway_rest_api" "body" {
  name = "body"
  body = jsonencode({ openapi = "3.0.1", info = { title = "body", version = "1" }, paths = { "/a" = { get = { responses = { "200" = { description = "x" } }, x-amazon-apigateway-integration = { type = "mock" } } } } })
  endpoint_configuration { types = ["REGIONAL"] }
}
