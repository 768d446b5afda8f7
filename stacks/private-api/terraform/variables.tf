# SPDX-License-Identifier: Apache-2.0
variable "name" {
  type        = string
  default     = "tap"
  description = "Begins the names of everything; each region adds its own name."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of everything, beside the stack's own."
}

variable "admin_cidr" {
  type        = string
  default     = "10.0.0.0/24"
  description = "Where SSH may come from."
}

variable "description" {
  type        = string
  default     = "Private API"
  description = "What the API's description begins with."
}

variable "retention_in_days" {
  type        = number
  default     = 90
  description = "How long the API's logs are kept."
}

variable "max_password_age" {
  type        = number
  default     = 90
  description = "Days after which users of the account must change their password."
}
