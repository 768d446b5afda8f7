/* SPDX-License-Identifier: Apache-2.0 */
/* errors.h - errors common to all services ("Common errors" of the API references). Query and JSON services spell some of
 * them differently; err_* functions below choose by the call's protocol. */
#pragma once
#include "base/desc.h"

struct call;
extern const struct desc_error aws_err_access_denied;           /* AccessDenied, 403: query, rest-xml */
extern const struct desc_error aws_err_access_denied_exception; /* AccessDeniedException, 400: JSON */
extern const struct desc_error aws_err_unauthorized_operation;  /* UnauthorizedOperation, 403: EC2 */
extern const struct desc_error aws_err_validation;              /* ValidationError, 400: query */
extern const struct desc_error aws_err_validation_exception;    /* ValidationException, 400: JSON */
extern const struct desc_error aws_err_invalid_parameter_value; /* InvalidParameterValue, 400 */
extern const struct desc_error aws_err_missing_parameter;       /* MissingParameter, 400 */
extern const struct desc_error aws_err_internal_failure;        /* InternalFailure, 500 */
extern const struct desc_error aws_err_service_unavailable;     /* ServiceUnavailable, 503 */
extern const struct desc_error aws_err_not_implemented;         /* NotImplemented, 501: in the model, not built here */
extern const struct desc_error aws_err_throttling;              /* Throttling, 400 */
