# SPDX-License-Identifier: Apache-2.0
# What the interpreter is started with; the module is beside it, and so is its compiled form if that fits this interpreter.
import _lambda_bootstrap

_lambda_bootstrap.main()
