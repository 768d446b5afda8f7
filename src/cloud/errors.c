/* SPDX-License-Identifier: Apache-2.0 */
/* errors.c - errors common to all services. */
#include "cloud/errors.h"
#include <stddef.h>

const struct desc_error aws_err_access_denied = { "AccessDenied", "AccessDenied", 403, true };
const struct desc_error aws_err_access_denied_exception = { "AccessDeniedException", "AccessDeniedException", 400, true };
const struct desc_error aws_err_unauthorized_operation = { "UnauthorizedOperation", "UnauthorizedOperation", 403, true };
const struct desc_error aws_err_validation = { "ValidationError", "ValidationError", 400, true };
const struct desc_error aws_err_validation_exception = { "ValidationException", "ValidationException", 400, true };
const struct desc_error aws_err_invalid_parameter_value = { "InvalidParameterValue", "InvalidParameterValue", 400, true };
const struct desc_error aws_err_missing_parameter = { "MissingParameter", "MissingParameter", 400, true };
const struct desc_error aws_err_internal_failure = { "InternalFailure", "InternalFailure", 500, false };
const struct desc_error aws_err_service_unavailable = { "ServiceUnavailable", "ServiceUnavailable", 503, false };
const struct desc_error aws_err_not_implemented = { "NotImplemented", "NotImplemented", 501, false };
const struct desc_error aws_err_throttling = { "Throttling", "Throttling", 400, true };
