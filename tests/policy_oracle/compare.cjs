// SPDX-License-Identifier: Apache-2.0
// Runs @cloud-copilot/iam-simulate on the cases of generate.py and compares with policy_oracle's decisions.
//
//   node compare.cjs NODE_MODULES cases.jsonl decisions.txt
//
// Where the two differ on purpose, a rule below says why, and rewrites the case so that iam-simulate is asked what AWS's
// documentation says the original means. A difference counts as explained only when iam-simulate then agrees.
'use strict'
const fs = require('fs')
const path = require('path')

const [modules, casesFile, oursFile] = process.argv.slice(2)
const dist = path.resolve(modules, '@cloud-copilot/iam-simulate/dist/cjs')
const { authorize } = require(path.join(dist, 'core_engine/CoreSimulatorEngine.js'))
const { AwsRequestImpl } = require(path.join(dist, 'request/request.js'))
const { RequestContextImpl } = require(path.join(dist, 'requestContext.js'))
const { DiscoveryContextKeyConstraints } = require(path.join(dist, 'context_keys/discoveryContextKeyConstraints.js'))
const { loadPolicy } = require(path.resolve(modules, '@cloud-copilot/iam-policy/dist/cjs/index.js'))

const FULL = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
const RCP_FULL = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' }] }
const NEVER = 'never-\u0001'
const NEVER_ARN = 'arn:aws:never:never:000000000000:never-\u0001'
const RESULTS = { Allowed: 'allow', ImplicitlyDenied: 'implicit', ExplicitlyDenied: 'explicit' }

const list = (x) => (x === undefined ? [] : Array.isArray(x) ? x : [x])
const copy = (x) => JSON.parse(JSON.stringify(x))
const load = (p, i) => loadPolicy(p, { name: String(i) })

function simulate(c) {
  const p = c.principal
  // The root user has every permission of his account; iam-simulate leaves that to its caller.
  const identity = (c.identity || []).concat(p.type === 'root' ? [FULL] : [])
  const principal = p.type === 'anonymous' ? { type: 'Anonymous' } : p.type === 'service' ? p.service : p.arn
  const request = new AwsRequestImpl(
    principal,
    { resource: c.resource, accountId: c.resource_account },
    c.action,
    new RequestContextImpl(c.keys),
    c.resource === '*'
  )
  const session = c.session && { Version: '2012-10-17', Statement: c.session.flatMap((x) => list(x.Statement)) }
  const answer = authorize({
    request,
    sessionPolicy: session && load(session, 'session'),
    identityPolicies: identity.map(load),
    serviceControlPolicies: (c.scp || []).map((level, i) => ({ orgIdentifier: `ou-${i}`, policies: level.map(load) })),
    // RCPFullAWSAccess is always attached.
    resourceControlPolicies: c.rcp ? [{ orgIdentifier: 'ou', policies: [RCP_FULL, ...c.rcp].map(load) }] : [],
    resourcePolicy: c.resource_policy ? load(c.resource_policy, 'resource') : undefined,
    permissionBoundaries: c.boundary ? c.boundary.map(load) : undefined,
    vpcEndpointPolicies: undefined,
    simulationParameters: { simulationMode: 'Strict', discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]) },
    serviceSettings: { s3: {} }
  })
  return RESULTS[answer.result]
}

// --- walking a case ---

function policies(c) {
  const out = []
  for (const layer of ['identity', 'boundary', 'session', 'rcp']) for (const p of c[layer] || []) out.push([p, layer])
  for (const level of c.scp || []) for (const p of level) out.push([p, 'scp'])
  if (c.resource_policy) out.push([c.resource_policy, 'resource'])
  return out
}

function eachStatement(c, fn) {
  for (const [p, layer] of policies(c)) for (const s of list(p.Statement)) fn(s, layer, p)
}

/** Rewrites statements; fn returns false to drop one. */
function filterStatements(c, layer, fn) {
  const dropped = { Effect: 'Allow', Action: 'never:Never', Resource: NEVER_ARN }
  for (const [p, l] of policies(c)) {
    if (l === layer) p.Statement = list(p.Statement).map((s) => (fn(s) ? s : l === 'resource' ? { ...dropped, Principal: '*' } : dropped))
  }
}

function base(op) {
  return op.replace(/^For(All|Any)Values?:/i, '').replace(/IfExists$/i, '').toLowerCase()
}

/** fn(values, op, key) returns the new values, or undefined to leave them, or null to make the condition always true. */
function mapConditions(c, fn) {
  eachStatement(c, (s) => {
    for (const op of Object.keys(s.Condition || {})) {
      for (const key of Object.keys(s.Condition[op])) {
        const values = fn(list(s.Condition[op][key]), op, key, s)
        if (values === undefined) continue
        delete s.Condition[op][key]
        if (values === null) {
          s.Condition.Null = { ...(s.Condition.Null || {}), 'test:NeverThere': 'true' }
        } else {
          s.Condition[op][key] = values
        }
      }
    }
  })
}

function keyOf(c, name) {
  const found = Object.keys(c.keys).find((k) => k.toLowerCase() === name.toLowerCase())
  return found === undefined ? undefined : c.keys[found]
}

function setKey(c, name, value) {
  c.keys[Object.keys(c.keys).find((k) => k.toLowerCase() === name.toLowerCase())] = value
}

function variables(text) {
  return [...text.matchAll(/\$\{(.*?)\}/g)].map((m) => m[1]).filter((v) => !['*', '?', '$'].includes(v))
}

function unresolved(c, text) {
  return variables(text).some((v) => {
    const [name, fallback] = v.split(', ')
    return typeof keyOf(c, name.trim()) !== 'string' && fallback === undefined
  })
}

function substitute(c, text) {
  return text.replace(/\$\{(.*?)\}/g, (all, v) => {
    const [name, fallback] = v.split(', ')
    const value = keyOf(c, name.trim())
    return typeof value === 'string' ? value : fallback ? fallback.slice(1, -1) : all
  })
}

/** An AWS wildcard pattern, variables resolved, as a regular expression. */
function glob(c, text) {
  let out = ''
  for (let i = 0; i < text.length; i++) {
    const m = /^\$\{(.*?)\}/.exec(text.slice(i))
    if (m) {
      const raw = ['*', '?', '$'].includes(m[1]) ? m[1] : substitute(c, m[0])
      out += raw.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      i += m[0].length - 1
    } else if (text[i] === '*') out += '.*'
    else if (text[i] === '?') out += '.'
    else out += text[i].replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  }
  return new RegExp(`^${out}$`, 's')
}

function arnSegments(text) {
  const parts = []
  let from = 0
  for (let i = 0; i < text.length && parts.length < 5; i++) {
    if (text.startsWith('${', i) && text.indexOf('}', i) > 0) i = text.indexOf('}', i)
    else if (text[i] === ':') {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  return [...parts, text.slice(from)]
}

/** Does a resource fail to match only because a variable in it has no value? */
function isNull(c, text) {
  const seg = arnSegments(text)
  const have = arnSegments(c.resource)
  if (seg.length < 6 || have.length < 6 || !unresolved(c, text)) return false
  return seg.every((s, i) => unresolved(c, s) || glob(c, s).test(have[i]))
}

/** What stands for a resource that is null: iam-simulate knows one form of it. */
const nullResource = (k, s) => (k === 'NotResource' && s.Effect === 'Allow' ? 'arn:*:*:*:*:${NeverThere}' : NEVER_ARN)

function mapResources(c, fn) {
  eachStatement(c, (s, layer, p) => {
    for (const k of ['Resource', 'NotResource']) if (s[k] !== undefined) s[k] = list(s[k]).map((r) => fn(r, k, s, layer, p))
  })
}

const NEGATED = /^(string|arn|numeric|date)not|^notip/
const decimal = (v) => /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(v)
const isV4 = (v) => /^(\d{1,3}\.){3}\d{1,3}$/.test(v) && v.split('.').every((o) => Number(o) < 256)
const isV6 = (v) => require('net').isIPv6(v)
function cidrOk(v) {
  const [host, bits, ...rest] = v.split('/')
  return rest.length === 0 && (isV4(host) || isV6(host)) && (bits === undefined || Number(bits) <= (isV4(host) ? 32 : 128))
}
const dateOk = (v) => /^\d+$/.test(v) || !isNaN(Date.parse(v))

function readable(kind, v) {
  if (kind.startsWith('numeric')) return decimal(v)
  if (kind.startsWith('date')) return dateOk(v)
  if (kind.includes('ipaddress')) return cidrOk(v)
  if (kind.startsWith('arn')) return v.split(':').length >= 6
  return true
}

// --- principals, as a specification of our own ---

function names(c, entry) {
  const p = c.principal
  const account = entry.replace(/^arn:aws:iam::(\d{12}):root$/, '$1')
  const outside = ['service', 'anonymous'].includes(p.type)
  return {
    anyone: entry === '*',
    account: !outside && /^\d{12}$/.test(account) && account === p.account,
    role: !outside && (entry === p.role_arn || (!!p.unique_id && p.unique_id.includes(':') && entry === p.unique_id.split(':')[0])),
    self: !outside && (entry === p.arn || entry === p.unique_id)
  }
}

function spared(c, s) {
  const all = list(s.NotPrincipal.AWS).map((e) => names(c, e))
  const any = (k) => all.some((n) => n[k])
  const need = {
    user: ['self', 'account'],
    role_session: ['self', 'role', 'account'],
    federated: c.principal.account ? ['self', 'account'] : ['self'],
    root: ['account'],
    service: ['self'],
    anonymous: ['self']
  }[c.principal.type]
  if (any('anyone')) return !(c.principal.type === 'federated' && !c.principal.account)
  return !(c.boundary || []).length && need.every(any)
}

function grantsSession(c, s) {
  return s.Effect === 'Allow' && s.Principal !== '*' && list((s.Principal || {}).AWS).some((e) => names(c, e).self)
}

// --- the rules; each rewrites the case in place and answers whether it had anything to do ---

const RULES = {
  // "Variables ... only in 2012-10-17" (Version element): in older documents ${...} is text.
  'version-2008-has-no-variables': (c) => {
    let hit = false
    const escape = (t) => t.replace(/\$\{/g, () => ((hit = true), '${$}{'))
    for (const [p] of policies(c)) {
      if (p.Version === '2012-10-17') continue
      const one = { identity: [p], keys: {} }
      mapResources(one, escape)
      mapConditions(one, (values) => values.map(escape))
    }
    return hit
  },
  // "The resource portion": iam-simulate doesn't resolve variables in the segments before it; people use them there.
  'variable-before-the-resource-segment': (c) => {
    let hit = false
    const fix = (text, k, s) => {
      const seg = arnSegments(text)
      if (seg.length < 6 || !seg.slice(0, 5).some((x) => x.includes('${'))) return text
      hit = true
      if (seg.slice(0, 5).some((x) => unresolved(c, x))) return k && isNull(c, text) ? nullResource(k, s) : NEVER_ARN
      return [...seg.slice(0, 5).map((s) => substitute(c, s)), seg[5]].join(':')
    }
    mapResources(c, fix)
    mapConditions(c, (values, op) => (base(op).startsWith('arn') ? values.map((v) => fix(v)) : undefined))
    return hit
  },
  // "Inverted condition operators ... do match against a null value" (Policy variables with no value).
  'null-variable-in-negated-condition': (c) => {
    let hit = false
    mapConditions(c, (values, op) => {
      if (!/^(string|arn)not/.test(base(op))) return undefined
      return values.map((v) => (unresolved(c, v) ? ((hit = true), base(op).startsWith('arn') ? NEVER_ARN : NEVER) : v))
    })
    return hit
  },
  // A Deny on NotResource with a variable that has no value: the variable's pattern matches no resource, so it denies.
  'null-variable-in-denied-notresource': (c) => {
    let hit = false
    mapResources(c, (r, k, s) => (k === 'NotResource' && s.Effect === 'Deny' && unresolved(c, r) ? ((hit = true), NEVER_ARN) : r))
    return hit
  },
  // A negated operator is the opposite of the positive one, also where a value can't be read as number, date, address, ARN.
  'negated-operator-on-unreadable-value': (c) => {
    let hit = false
    mapConditions(c, (values, op, key) => {
      const kind = base(op)
      if (!NEGATED.test(kind) || kind.startsWith('string')) return undefined
      const have = keyOf(c, key)
      const good = values.filter((v) => readable(kind, v))
      if (have === undefined || (Array.isArray(have) && !/^For/i.test(op))) return undefined
      // "None of the values equals": unreadable policy values drop out; an unreadable request value equals none.
      if (/^For/i.test(op) ? list(have).every((h) => !readable(kind, h)) && have.length : !readable(kind, have)) return (hit = true), null
      if (good.length === values.length) return undefined
      hit = true
      return good.length ? good : null
    })
    return hit
  },
  // ${*}, ${?} and ${$} stand for the character also where wildcards have no meaning; iam-simulate leaves them as they are.
  'special-variables-without-wildcards': (c) => {
    let hit = false
    mapConditions(c, (values, op) =>
      /^string(not)?equals/.test(base(op)) ? values.map((v) => v.replace(/\$\{([*?])\}/g, (all, x) => ((hit = true), x))) : undefined
    )
    return hit
  },
  // Dates may be "epoch (UNIX) time" in seconds; iam-simulate compares them as milliseconds.
  'epoch-dates-are-seconds': (c) => {
    let hit = false
    const iso = (v) => (/^\d{5,}$/.test(v) || v === '2026' ? ((hit = true), new Date((v === '2026' ? 2026 : Number(v)) * 1000).toISOString()) : v)
    mapConditions(c, (values, op, key) => {
      if (!base(op).startsWith('date')) return undefined
      if (typeof keyOf(c, key) === 'string') setKey(c, key, iso(keyOf(c, key)))
      return values.map(iso)
    })
    return hit
  },
  // "12abc" is no number; parseInt takes the 12.
  'numbers-are-strict': (c) => {
    let hit = false
    mapConditions(c, (values, op, key) => {
      if (!base(op).startsWith('numeric')) return undefined
      const strict = (v) => (decimal(v) ? v : ((hit = true), 'x'))
      if (typeof keyOf(c, key) === 'string' && !decimal(keyOf(c, key))) {
        hit = true
        // Only for this condition: the key's text may be compared as a string elsewhere.
        const negated = base(op) === 'numericnotequals'
        return negated ? null : ['x']
      }
      return values.map(strict)
    })
    return hit
  },
  // A single address is a range of one; iam-simulate compares it as text and never across families.
  'single-address-is-a-range': (c) => {
    let hit = false
    mapConditions(c, (values, op) =>
      base(op).includes('ipaddress') ? values.map((v) => (isV4(v) ? ((hit = true), `${v}/32`) : isV6(v) ? ((hit = true), `${v}/128`) : v)) : undefined
    )
    return hit
  },
  // A /0 range holds every address of its family; iam-simulate's mask for it is that of /32.
  'prefix-length-zero': (c) => {
    let hit = false
    const halves = { '0.0.0.0/0': ['0.0.0.0/1', '128.0.0.0/1'], '::/0': ['::/1', '8000::/1'] }
    mapConditions(c, (values, op) =>
      base(op).includes('ipaddress') ? values.flatMap((v) => (halves[v] ? ((hit = true), halves[v]) : [v])) : undefined
    )
    return hit
  },
  // ::ffff:a.b.c.d is that IPv4 address.
  'ipv4-mapped-address': (c) => {
    const ip = keyOf(c, 'aws:SourceIp')
    if (!ip || !ip.startsWith('::ffff:')) return false
    setKey(c, 'aws:SourceIp', ip.slice(7))
    return true
  },
  // A multivalued key without values is absent ("null data set").
  'empty-key-is-absent': (c) => {
    const empty = Object.keys(c.keys).filter((k) => Array.isArray(c.keys[k]) && !c.keys[k].length)
    for (const k of empty) delete c.keys[k]
    return empty.length > 0
  },
  // "...IfExists: if the key is not present, evaluate the condition element as true", also with ForAnyValue.
  'foranyvalue-ifexists': (c) => {
    let hit = false
    mapConditions(c, (values, op, key) => {
      const have = keyOf(c, key)
      if (!/^ForAnyValue:.*IfExists$/i.test(op) || (have !== undefined && have.length !== 0)) return undefined
      hit = true
      return null
    })
    return hit
  },
  // SCPs "don't affect" service principals and callers who have no account.
  'scp-not-for-callers-without-account': (c) => {
    if (!c.scp || c.principal.account) return false
    delete c.scp
    return true
  },
  // "granted directly to the session ... not limited by an implicit deny in the session policy" (Policy evaluation for
  // requests within a single account). Denials still count.
  'session-policy-does-not-limit-direct-grants': (c) => {
    if (!c.session || c.principal.account !== c.resource_account || !c.resource_policy) return false
    if (!list(c.resource_policy.Statement).some((s) => grantsSession(c, s))) return false
    filterStatements(c, 'resource', (s) => s.Effect === 'Deny' || grantsSession(c, s))
    filterStatements(c, 'identity', (s) => s.Effect === 'Deny')
    c.session.push(copy(FULL))
    return true
  },
  // Deny with NotPrincipal spares only callers whose account, role and session are all listed (NotPrincipal element).
  'notprincipal-needs-every-level': (c) => {
    let hit = false
    if (!c.resource_policy) return false
    filterStatements(c, 'resource', (s) => {
      if (!s.NotPrincipal) return true
      hit = true
      const drop = spared(c, s)
      delete s.NotPrincipal
      s.Principal = '*'
      return !drop
    })
    return hit
  },
  // Unique ids in Principal; iam-simulate knows only ARNs.
  'principal-by-unique-id': (c) => {
    let hit = false
    const p = c.principal
    if (!p.unique_id || !c.resource_policy) return false
    const fix = (e) => (e === p.unique_id ? ((hit = true), p.arn) : e === p.unique_id.split(':')[0] && p.role_arn ? ((hit = true), p.role_arn) : e)
    for (const s of list(c.resource_policy.Statement)) {
      for (const k of ['Principal', 'NotPrincipal']) if (s[k] && s[k].AWS) s[k].AWS = list(s[k].AWS).map(fix)
    }
    return hit
  },
  // A canonical user id is an account.
  'canonical-user-is-an-account': (c) => {
    let hit = false
    for (const s of list((c.resource_policy || {}).Statement)) {
      if (!s.Principal || !s.Principal.CanonicalUser) continue
      hit = true
      const mine = c.principal.canonical_id === s.Principal.CanonicalUser
      delete s.Principal.CanonicalUser
      if (mine) s.Principal.AWS = [...list(s.Principal.AWS), c.principal.account]
    }
    return hit
  },
  // {"AWS": "*"} allows AWS principals and anonymous callers; an identity provider's token is neither.
  'token-is-no-aws-principal': (c) => {
    if (c.principal.type !== 'federated' || c.principal.account || !c.resource_policy) return false
    filterStatements(c, 'resource', (s) => {
      if (s.Effect === 'Deny' || !s.Principal) return true
      if (s.Principal === '*') return false
      if (s.Principal.AWS) s.Principal.AWS = list(s.Principal.AWS).map((e) => (e === '*' ? '999999999999' : e))
      return true
    })
    return true
  },
  // Wildcards work in the whole last segment; iam-simulate wants the resource type spelled out.
  'wildcard-in-resource-type': (c) => {
    let hit = false
    mapResources(c, (r, k, s, layer, p) => {
      const seg = arnSegments(r)
      const have = c.resource.split(':').slice(5).join(':')
      if (seg.length < 6 || c.resource === '*') return r
      hit = true
      if (unresolved(c, r)) return isNull(c, r) ? nullResource(k, s) : NEVER_ARN
      return [...seg.slice(0, 5), glob(c, seg[5]).test(have) ? have : NEVER].join(':')
    })
    return hit
  },
  // "*:*" and "*:Get" name any service.
  'any-service-action': (c) => {
    let hit = false
    eachStatement(c, (s) => {
      for (const k of ['Action', 'NotAction']) if (s[k]) s[k] = list(s[k]).map((a) => (a === '*:*' ? ((hit = true), '*') : a))
    })
    return hit
  },
  // A short ARN is filled up with "*" in NotResource as it is in Resource.
  'short-arn-in-notresource': (c) => {
    let hit = false
    mapResources(c, (r, k, s, layer) => {
      const n = r.split(':').length
      if (r === '*' || n >= 6 || (layer === 'resource' && !r.includes('*'))) return r
      hit = true
      return r + ':*'.repeat(6 - n)
    })
    return hit
  }
}

function explain(original, ours) {
  for (const name of Object.keys(RULES)) {
    const c = copy(original)
    if (RULES[name](c) && simulate(c) === ours) return [name]
  }
  // More than one at work: apply all, then name those that matter.
  const apply = (skip) => {
    const c = copy(original)
    const used = Object.keys(RULES).filter((n) => !skip.includes(n) && RULES[n](c))
    return simulate(c) === ours ? used : null
  }
  let skip = []
  if (!apply(skip)) {
    // A rule that rewrites much may be the wrong one here.
    const harmful = Object.keys(RULES).find((n) => apply([n]))
    if (!harmful) return null
    skip = [harmful]
  }
  for (const name of apply(skip)) if (apply([...skip, name])) skip.push(name)
  return apply(skip)
}

const cases = fs.readFileSync(casesFile, 'utf8').trim().split('\n')
const ours = fs.readFileSync(oursFile, 'utf8').trim().split('\n')
if (cases.length !== ours.length) throw new Error(`${cases.length} cases but ${ours.length} decisions`)
const report = { cases: cases.length, same: 0, refused: 0, explained: 0, unexplained: 0, decisions: {}, rules: {} }
cases.forEach((line, i) => {
  if (ours[i].startsWith('error')) {
    report.refused++
    return
  }
  const c = JSON.parse(line)
  const theirs = simulate(c)
  report.decisions[ours[i]] = (report.decisions[ours[i]] || 0) + 1
  if (theirs === ours[i]) {
    report.same++
    return
  }
  const why = explain(c, ours[i])
  if (why) {
    report.explained++
    for (const name of why) report.rules[name] = (report.rules[name] || 0) + 1
    return
  }
  if (report.unexplained++ < 5) process.stderr.write(`line ${i + 1}: ours ${ours[i]}, iam-simulate ${theirs}\n${line}\n`)
})
console.log(JSON.stringify(report, null, 2))
process.exit(report.unexplained ? 1 : 0)
