# SPDX-License-Identifier: Apache-2.0
# A private API in three regions: each with its own network, key, log group, bucket, and an API that only answers through
# the VPC endpoint of its region. The password policy is the account's, so it is made once.

provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"
}

provider "aws" {
  alias  = "us_west_2"
  region = "us-west-2"
}

provider "aws" {
  alias  = "eu_central_1"
  region = "eu-central-1"
}

locals {
  settings = {
    name              = var.name
    tags              = var.tags
    admin_cidr        = var.admin_cidr
    description       = var.description
    retention_in_days = var.retention_in_days
  }
}

module "us_east_1" {
  source    = "./region"
  settings  = local.settings
  providers = { aws = aws.us_east_1 }
}

module "us_west_2" {
  source    = "./region"
  settings  = local.settings
  providers = { aws = aws.us_west_2 }
}

module "eu_central_1" {
  source    = "./region"
  settings  = local.settings
  providers = { aws = aws.eu_central_1 }
}

resource "aws_iam_account_password_policy" "strict" {
  provider                       = aws.us_east_1
  minimum_password_length        = 14
  require_symbols                = true
  require_numbers                = true
  require_uppercase_characters   = true
  require_lowercase_characters   = true
  allow_users_to_change_password = true
  hard_expiry                    = true
  password_reuse_prevention      = 5
  max_password_age               = var.max_password_age
}

output "regions" {
  description = "What was made, by region."
  value = {
    us-east-1    = module.us_east_1
    us-west-2    = module.us_west_2
    eu-central-1 = module.eu_central_1
  }
}
