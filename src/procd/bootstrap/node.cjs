// SPDX-License-Identifier: Apache-2.0
// The Node.js side of the Lambda Runtime API: loads the handler, then takes one invocation after the other. It speaks HTTP
// itself over one connection, since loading node:http would cost more than a whole warm invocation. And it is a module of the
// old kind: the loader of the new kind takes a quarter of a start, and is only loaded for a function that is of the new kind.
'use strict';
const net = require('node:net');
const { createRequire, Module } = require('node:module');
const { pathToFileURL } = require('node:url');
const { existsSync, readFileSync } = require('node:fs');
const { format, inspect } = require('node:util');

const env = process.env;
const [host, port] = env.AWS_LAMBDA_RUNTIME_API.split(':');
const API = '/2018-06-01/runtime/';
const HEAD_END = Buffer.from('\r\n\r\n');
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const jsonLog = env.AWS_LAMBDA_LOG_FORMAT === 'JSON';
const logLevel = Math.max(0, LEVELS.indexOf((env.AWS_LAMBDA_LOG_LEVEL || 'TRACE').toUpperCase()));
let requestId;

// --- the connection ---
let socket, buffered = Buffer.alloc(0), waiter, gone;

function connect() {
	socket = net.connect({ host, port: Number(port), noDelay: true });
	socket.on('data', (d) => {
		buffered = buffered.length ? Buffer.concat([buffered, d]) : d;
		if (waiter) waiter();
	});
	const end = (e) => { gone = e || new Error('the Runtime API closed the connection'); if (waiter) waiter(); };
	socket.on('error', end);
	socket.on('close', () => end());
}

const more = () => new Promise((resolve, reject) => {
	waiter = () => { waiter = undefined; gone ? reject(gone) : resolve(); };
	if (gone) waiter();
});

async function readReply() {
	let end;
	while ((end = buffered.indexOf(HEAD_END)) < 0) await more();
	const lines = buffered.toString('latin1', 0, end).split('\r\n');
	const headers = {};
	for (let i = 1; i < lines.length; i++) {
		const colon = lines[i].indexOf(':');
		headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
	}
	const length = Number(headers['content-length'] || 0);
	if (buffered.length < end + 4 + length) { // large: collected once, not joined piece by piece
		const parts = [buffered];
		let have = buffered.length;
		while (have < end + 4 + length) {
			buffered = Buffer.alloc(0);
			await more();
			parts.push(buffered);
			have += buffered.length;
		}
		buffered = Buffer.concat(parts);
	}
	const body = buffered.subarray(end + 4, end + 4 + length);
	buffered = buffered.subarray(end + 4 + length);
	return { status: Number(lines[0].slice(9, 12)), headers, body };
}

const NEXT = `GET ${API}invocation/next HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`;

function post(path, body, type, andNext) {
	const head = `POST ${API}${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nContent-Type: application/json\r\n`
		+ (type ? `Lambda-Runtime-Function-Error-Type: ${type.replace(/[^\x20-\x7e]/g, '?')}\r\n` : '')
		+ `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
	// One write: the answer and the request for more.
	if (body.length < 65536) return socket.write(head + body + (andNext ? NEXT : ''));
	socket.write(head);
	socket.write(body);
	if (andNext) socket.write(NEXT);
}

// --- logs ---

// What a function wrote is told before its answer: a full pipe makes these streams keep what comes.
const streams = new Set();
for (const name of ['stdout', 'stderr']) {
	const made = Object.getOwnPropertyDescriptor(process, name);
	Object.defineProperty(process, name, { ...made, get() { const s = made.get.call(process); streams.add(s); return s; } });
}
async function flushed() {
	for (const s of streams)
		if (s.writableLength && !s.destroyed) await new Promise((resolve) => s.write('', resolve));
}
const writeOut = (text) => process.stdout.write(text);

function errorFields(e) {
	return { errorType: e?.name ?? 'Error', errorMessage: e?.message ?? String(e), stackTrace: e?.stack ? String(e.stack).split('\n') : [], ...(e?.cause !== undefined ? { cause: inspect(e.cause) } : {}) };
}

function jsonLine(level, args) {
	const line = { timestamp: new Date().toISOString(), level, requestId };
	if (args.length === 1 && typeof args[0] === 'object' && args[0] !== null && !(args[0] instanceof Error)) {
		try {
			return JSON.stringify({ ...line, message: args[0] }, (k, v) => (v instanceof Error ? errorFields(v) : typeof v === 'bigint' ? String(v) : v));
		} catch { /* it refers to itself: as text */ }
	}
	line.message = format(...args);
	const error = args.find((a) => a instanceof Error);
	if (error) Object.assign(line, errorFields(error));
	return JSON.stringify(line);
}

function log(level, args) {
	if (LEVELS.indexOf(level) < logLevel && jsonLog) return;
	if (jsonLog) writeOut(jsonLine(level, args) + '\n');
	// A line break inside of one event is a carriage return, as AWS's runtime writes it.
	else writeOut(`${new Date().toISOString()}\t${requestId}\t${level}\t${format(...args)}`.replace(/\r?\n/g, '\r') + '\n');
}

console.log = (...a) => log('INFO', a);
console.info = (...a) => log('INFO', a);
console.debug = (...a) => log('DEBUG', a);
console.warn = (...a) => log('WARN', a);
console.error = (...a) => log('ERROR', a);
console.trace = (...a) => log('TRACE', [new Error(format(...a)).stack.replace(/^Error/, 'Trace')]);
console.fatal = (...a) => log('FATAL', a);

// --- errors ---
function failure(name, message) {
	const e = new Error(message);
	e.name = name;
	return e;
}

function asFailure(e) {
	if (e instanceof Error || (e && typeof e === 'object' && 'message' in e && 'name' in e))
		return { errorType: String(e.name ?? 'Error'), errorMessage: String(e.message), trace: String(e.stack ?? '').split('\n') };
	return { errorType: typeof e, errorMessage: e === undefined || e === null ? String(e) : String(e), trace: [] };
}

function logFailure(what, e) {
	const f = asFailure(e);
	let own = {};
	if (e instanceof Error) for (const k of Object.keys(e)) own[k] = e[k];
	if (jsonLog) return log('ERROR', [e instanceof Error ? e : format(e)]);
	let text;
	try {
		text = JSON.stringify({ errorType: f.errorType, errorMessage: f.errorMessage, ...own, stack: f.trace });
	} catch {
		text = JSON.stringify({ errorType: f.errorType, errorMessage: f.errorMessage, stack: f.trace });
	}
	writeOut(`${new Date().toISOString()}\t${requestId}\tERROR\t${what}\t${text}\n`);
}

// --- answers that are streamed ---
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = Buffer.alloc(8);
let answering; // the stream of the invocation in work

globalThis.awslambda = {
	streamifyResponse(handler, options) {
		handler[STREAMING] = 'response';
		if (options?.highWaterMark !== undefined) handler[Symbol.for('aws.lambda.runtime.handler.highWaterMark')] = Number(options.highWaterMark);
		return handler;
	},
	HttpResponseStream: {
		// Status, headers and cookies travel ahead of the body.
		from(stream, prelude) {
			stream.setContentType(PRELUDE_TYPE);
			stream._onBeforeFirstWrite = (write) => { write(JSON.stringify(prelude)); write(PRELUDE_END); };
			return stream;
		},
	},
};

const isBytes = (x) => typeof x === 'string' || Buffer.isBuffer(x) || x instanceof Uint8Array;

// responseStream is what a streaming handler writes to. What the other side does not take yet makes its writes wait.
function responseStream(id, highWaterMark) {
	const { Writable } = require('node:stream');
	let type = 'application/octet-stream', begun = false, ended = false;
	const chunk = (data, done) => {
		if (ended) return; // what was written is late: the connection belongs to the next invocation
		if (!data.length) return done && done(); // an empty chunk would be the last one
		socket.write(`${data.length.toString(16)}\r\n`, 'latin1');
		socket.write(data);
		socket.write('\r\n', 'latin1', done);
	};
	const begin = () => {
		begun = true;
		socket.write(`POST ${API}invocation/${id}/response HTTP/1.1\r\nHost: ${host}:${port}\r\nContent-Type: ${type.replace(/[^\x20-\x7e]/g, '?')}\r\n`
			+ 'Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n'
			+ 'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n', 'latin1');
		if (stream._onBeforeFirstWrite) stream._onBeforeFirstWrite((x) => chunk(Buffer.from(x)));
	};
	const stream = new Writable({
		...(highWaterMark !== undefined ? { highWaterMark } : {}),
		write(data, encoding, done) { if (!begun) begin(); chunk(data, done); },
		final(done) { if (!begun) begin(); done(); },
	});
	const write = stream.write;
	stream.write = (data, ...more) => write.call(stream, isBytes(data) ? data : JSON.stringify(data), ...more);
	stream.setContentType = (t) => { type = String(t); };
	return {
		stream,
		begun: () => begun,
		// The answer's end: with an error that came after its beginning, or without.
		end(error, andNext) {
			const trailers = error ? `Lambda-Runtime-Function-Error-Type: ${error.errorType.replace(/[^\x20-\x7e]/g, '?')}\r\n`
				+ `Lambda-Runtime-Function-Error-Body: ${Buffer.from(JSON.stringify(error)).toString('base64')}\r\n` : '';
			ended = true;
			socket.write(`0\r\n${trailers.length > 12000 ? 'Lambda-Runtime-Function-Error-Type: Error\r\n' : trailers}\r\n${andNext ? NEXT : ''}`, 'latin1');
		},
	};
}

// runStreaming waits for the handler and for its stream's end: a stream that is never ended lasts until the timeout.
function runStreaming(handler, event, headers, stream) {
	return new Promise((resolve) => {
		const over = new Promise((done) => {
			stream.on('finish', () => done({}));
			stream.on('error', (error) => done({ error }));
			stream.on('close', () => done(stream.writableFinished ? {} : { error: new Error('The response stream was destroyed before its end.') }));
		});
		const [context] = makeContext(headers, () => {});
		const failed = (error) => resolve({ error: error ?? new Error(String(error)) });
		try {
			Promise.resolve(handler(event, stream, context)).then(() => over.then(resolve), failed);
		} catch (e) {
			failed(e);
		}
	});
}

// --- the handler ---
function layerModules() {
	// NODE_PATH counts for import too, as on AWS; only where there are layers.
	if (!existsSync('/opt/nodejs') || typeof Module.registerHooks !== 'function') return;
	const parents = (env.NODE_PATH || '').split(':').filter((d) => d.startsWith('/opt/') && d.endsWith('/node_modules') && existsSync(d))
		.map((d) => pathToFileURL(d.slice(0, -'node_modules'.length) + 'x.mjs').href);
	Module.registerHooks({
		resolve(specifier, context, next) {
			try {
				return next(specifier, context);
			} catch (e) {
				if (e?.code !== 'ERR_MODULE_NOT_FOUND' || /^[./]|^[a-z]+:/.test(specifier)) throw e;
				for (const parentURL of parents) {
					try { return next(specifier, { ...context, parentURL }); } catch { /* the next one */ }
				}
				throw e;
			}
		},
	});
}

function packageType(dir, root) {
	for (;;) {
		try {
			return JSON.parse(readFileSync(`${dir}/package.json`, 'utf8')).type;
		} catch { /* one further up */ }
		if (dir.length <= root.length) return undefined;
		dir = dir.slice(0, dir.lastIndexOf('/'));
	}
}

async function loadModule(root, name) {
	const base = `${root}/${name}`;
	const require = createRequire(`${root}/x.js`);
	let file;
	for (const ext of ['', '.js', '.mjs', '.cjs'])
		if ((ext || /\.[mc]?js$/.test(base)) && existsSync(base + ext)) { file = base + ext; break; }
	if (file && (file.endsWith('.mjs') || (!file.endsWith('.cjs') && packageType(file.slice(0, file.lastIndexOf('/')), root) === 'module')))
		return import(pathToFileURL(file).href);
	let path;
	try {
		path = file || require.resolve(base);
	} catch {
		try {
			path = require.resolve(name);
		} catch {
			throw failure('Runtime.ImportModuleError', `Error: Cannot find module '${name.split('/').pop()}'\nRequire stack:\n- /var/runtime/index.mjs`);
		}
	}
	try {
		return require(path);
	} catch (e) {
		if (e instanceof SyntaxError && /import|export|await/.test(e.message)) return import(pathToFileURL(path).href);
		throw e;
	}
}

async function loadHandler() {
	const full = env._HANDLER || '';
	const slash = full.lastIndexOf('/') + 1;
	const dot = full.indexOf('.', slash);
	if (full.includes('..')) throw failure('Runtime.MalformedHandlerName', `'${full}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
	if (dot <= slash || dot === full.length - 1) throw failure('Runtime.MalformedHandlerName', 'Bad handler');
	const name = full.slice(0, dot), path = full.slice(dot + 1).split('.');
	let module;
	try {
		module = await loadModule(env.LAMBDA_TASK_ROOT, name);
	} catch (e) {
		if (e instanceof SyntaxError) {
			const f = failure('Runtime.UserCodeSyntaxError', `${e.name}: ${e.message}`);
			f.stack = e.stack;
			throw f;
		}
		if (e?.code === 'MODULE_NOT_FOUND' || e?.code === 'ERR_MODULE_NOT_FOUND') {
			const f = failure('Runtime.ImportModuleError', `Error: ${e.message}`);
			f.stack = e.stack;
			throw f;
		}
		throw e;
	}
	const find = (from) => path.reduce((o, k) => (o === undefined || o === null ? undefined : o[k]), from);
	const handler = find(module) ?? find(module?.default);
	if (handler === undefined || handler === null) throw failure('Runtime.HandlerNotFound', `${full} is undefined or not exported`);
	if (typeof handler !== 'function') throw failure('Runtime.HandlerNotFound', `${full} is not a function`);
	if (handler.length >= 3 && !handler[STREAMING] && /nodejs(2[4-9]|[3-9]\d)\./.test(env.AWS_EXECUTION_ENV || ''))
		throw failure('Runtime.CallbackHandlerDeprecated', 'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. '
			+ 'You need to modify this function to use a supported handler signature to use Node.js 24 or later. '
			+ 'For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.');
	return handler;
}

// --- invocations ---
function makeContext(headers, settle) {
	const deadline = Number(headers['lambda-runtime-deadline-ms']);
	const parse = (name) => { try { return headers[name] ? JSON.parse(headers[name]) : undefined; } catch { return undefined; } };
	const done = (error, value) => settle(error, value, !context.callbackWaitsForEmptyEventLoop);
	const context = {
		callbackWaitsForEmptyEventLoop: true,
		functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
		functionName: env.AWS_LAMBDA_FUNCTION_NAME,
		memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
		logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
		logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
		clientContext: parse('lambda-runtime-client-context'),
		identity: parse('lambda-runtime-cognito-identity'),
		invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
		awsRequestId: headers['lambda-runtime-aws-request-id'],
		getRemainingTimeInMillis: () => deadline - Date.now(),
		done: (error, value) => settle(error, value, true),
		succeed: (value) => settle(null, value, true),
		fail: (error) => settle(error ?? new Error('handled'), undefined, true),
	};
	return [context, done];
}

function run(handler, event, headers) {
	return new Promise((resolve) => {
		let over = false;
		const settle = (error, value, now) => {
			if (over) return;
			over = true;
			const result = error !== undefined && error !== null ? { error } : { value };
			if (now) return resolve(result);
			// The callback's answer waits until nothing else is to be done; our own connection does not count.
			socket.unref();
			process.once('beforeExit', () => { socket.ref(); resolve(result); });
		};
		const [context, done] = makeContext(headers, settle);
		try {
			const answer = handler(event, context, done);
			if (answer && typeof answer.then === 'function')
				answer.then((v) => settle(null, v, true), (e) => settle(e ?? new Error(String(e)), undefined, true));
			else if (handler.length < 3 && !over && answer !== undefined)
				settle(null, answer, true);
			else if (!over && answer === undefined && handler.length < 3) {
				// Neither a promise nor a callback: what AWS answers then is null, when nothing is left to do.
				socket.unref();
				process.once('beforeExit', () => { socket.ref(); if (!over) { over = true; resolve({ value: undefined }); } });
			}
		} catch (e) {
			settle(e ?? new Error(String(e)), undefined, true);
		}
	});
}

let current; // fails the invocation in work for what nobody caught

async function fatal(e, type) {
	const f = asFailure(e);
	f.errorType = type;
	f.errorMessage = e instanceof Error ? `${e.name}: ${e.message}` : String(e);
	if (e instanceof Error) f.reason = asFailure(e);
	logFailure(type === 'Runtime.UnhandledPromiseRejection' ? 'Unhandled Promise Rejection' : 'Uncaught Exception', Object.assign(new Error(f.errorMessage), { name: type, stack: [`${type}: ${f.errorMessage}`, ...f.trace.slice(1)].join('\n') }));
	await flushed();
	if (answering?.begun()) answering.end({ errorType: type, errorMessage: f.errorMessage, trace: f.trace }, false);
	else post(current ? `invocation/${current}/error` : 'init/error', JSON.stringify({ errorType: type, errorMessage: f.errorMessage, trace: [`${type}: ${f.errorMessage}`, ...f.trace.slice(1)] }), type, false);
	socket.end(() => setTimeout(() => process.exit(129), 5));
}
const uncaught = (e) => (e?.name?.startsWith?.('Runtime.') ? e.name : e?.name ?? 'Error');
process.on('uncaughtException', (e) => fatal(e, uncaught(e)));
process.on('unhandledRejection', (e) => fatal(e, 'Runtime.UnhandledPromiseRejection'));

async function main() {
	connect();
	let handler;
	try {
		layerModules();
		handler = await loadHandler();
	} catch (e) {
		const f = asFailure(e);
		logFailure('Uncaught Exception', e);
		post('init/error', JSON.stringify({ errorType: f.errorType, errorMessage: f.errorMessage, trace: f.trace }), f.errorType, false);
		await readReply().catch(() => {});
		process.exit(1);
	}
	socket.write(NEXT);
	for (;;) {
		const { headers, body } = await readReply();
		const id = requestId = current = headers['lambda-runtime-aws-request-id'];
		if (headers['lambda-runtime-trace-id']) env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
		else delete env._X_AMZN_TRACE_ID;
		let text, result;
		answering = handler[STREAMING] ? responseStream(id, handler[Symbol.for('aws.lambda.runtime.handler.highWaterMark')]) : undefined;
		try {
			const event = JSON.parse(body.toString());
			result = answering ? await runStreaming(handler, event, headers, answering.stream) : await run(handler, event, headers);
			if (!answering && !('error' in result)) {
				try {
					text = JSON.stringify(result.value === undefined ? null : result.value);
					if (text === undefined) text = 'null';
				} catch (e) {
					result = { error: failure('Runtime.MarshalError', `Unable to stringify response body: ${e.message}`) };
				}
			}
		} catch (e) {
			result = { error: e };
		}
		if ('error' in result) logFailure('Invoke Error', result.error);
		await flushed();
		current = undefined;
		const streamed = answering;
		answering = undefined;
		if (streamed?.begun()) {
			streamed.end('error' in result ? asFailure(result.error) : undefined, true);
		} else if ('error' in result) {
			const f = asFailure(result.error);
			post(`invocation/${id}/error`, JSON.stringify(f), f.errorType, true);
		} else {
			post(`invocation/${id}/response`, text, undefined, true);
		}
		await readReply(); // of the post; then the next invocation
	}
}
main().catch((e) => { process.stderr.write(`the Runtime API cannot be used: ${e?.message}\n`); process.exit(1); });
