// A relay made of nodemailer's smtp-server: STARTTLS and implicit TLS, AUTH, one file for each recipient.
"use strict";
const fs = require("fs");
const path = require("path");
const { SMTPServer } = require("smtp-server");

let count = 0;

function keep(stream, session, done) {
	const pieces = [];
	stream.on("data", (piece) => pieces.push(piece));
	stream.on("end", () => {
		for (const recipient of session.envelope.rcptTo) {
			const name = "m" + String(++count).padStart(8, "0");
			const made = path.join(process.env.MAILDIR, "." + name);
			fs.writeFileSync(made, Buffer.concat([
				Buffer.from("Return-Path: <" + (session.envelope.mailFrom.address || "") + ">\n" +
					"X-Original-To: <" + recipient.address + ">\n"),
				...pieces]));
			fs.renameSync(made, path.join(process.env.MAILDIR, name));
		}
		done(null, "kept");
	});
}

function start(port, secure) {
	const server = new SMTPServer({
		secure,
		name: "relay.test",
		key: fs.readFileSync(process.env.KEY),
		cert: fs.readFileSync(process.env.CERT),
		authMethods: ["PLAIN", "LOGIN", "CRAM-MD5"],
		disableReverseLookup: true,
		size: 100 << 20,
		onAuth(auth, session, done) {
			const good = auth.username === process.env.USER && (auth.method === "CRAM-MD5" ?
				auth.validatePassword(process.env.PASSWORD) : auth.password === process.env.PASSWORD);
			return good ? done(null, { user: auth.username }) : done(new Error("Invalid username or password"));
		},
		onRcptTo(address, session, done) {
			if (address.address !== "refused@example.net")
				return done();
			const error = new Error("no such user here");
			error.responseCode = 550;
			return done(error);
		},
		onData: keep,
	});
	server.on("error", (error) => console.error(String(error)));
	server.listen(port, "127.0.0.1");
}

start(Number(process.env.PORT_STARTTLS), false);
start(Number(process.env.PORT_TLS), true);
