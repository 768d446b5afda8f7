// SPDX-License-Identifier: Apache-2.0
// Makes the stack. The name comes from TAP_NAME, since names of buckets are the whole cloud's.
import { TapStack } from '../lib/tap-stack';

new TapStack(process.env.TAP_NAME || 'tap', { tags: { Project: 'private-api' } });
