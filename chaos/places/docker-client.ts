/** testcontainers and the engine behind it. The package is only asked for here: who runs a cluster does not need it. */
import type { ContainerRuntimeClient } from "testcontainers";
import { MissingToolError } from "./place.ts";

export type Testcontainers = typeof import("testcontainers");
export type Docker = ContainerRuntimeClient["container"]["dockerode"];

/** Throws MissingToolError with what to install. */
export async function loadTestcontainers(): Promise<Testcontainers> {
	try {
		return await import("testcontainers");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
		throw new MissingToolError(
			"containers need the npm package testcontainers, which is not installed: npm install testcontainers@12 where barque is installed",
		);
	}
}

/** What $DOCKER_HOST names; undefined: any will do. */
export function wantedEngine(): string | undefined {
	return process.env["DOCKER_HOST"] || undefined;
}

/** The engine that $DOCKER_HOST names, else the first that answers where engines usually listen. */
export async function connectDocker(testcontainers: Testcontainers): Promise<Docker> {
	const wanted = wantedEngine();
	let docker: Docker;
	try {
		docker = (await testcontainers.getContainerRuntimeClient()).container.dockerode;
	} catch (error) {
		throw new MissingToolError(
			`no Docker engine answers${wanted === undefined ? "" : ` at DOCKER_HOST=${wanted}`} (${(error as Error).message}): start one (systemctl start docker, or sudo dockerd), or set DOCKER_HOST to its address, such as unix:///var/run/docker.sock`,
		);
	}
	// testcontainers goes on to the next engine where the wanted one does not answer.
	if (wanted !== undefined && !isAt(docker, wanted)) {
		throw new MissingToolError(
			`no Docker engine answers at DOCKER_HOST=${wanted}: start it there, or unset DOCKER_HOST to use the one that answers elsewhere`,
		);
	}
	return docker;
}

function isAt(docker: Docker, address: string): boolean {
	const { socketPath, host } = docker.modem as { socketPath?: string; host?: string };
	if (!URL.canParse(address)) return false;
	const { hostname, pathname } = new URL(address);
	return hostname === "" ? socketPath === pathname : host === hostname;
}

/** The engine's answer to a request it refused; undefined: it was no such answer. */
export function refusal(error: unknown): number | undefined {
	const { statusCode } = error as { statusCode?: unknown };
	return typeof statusCode === "number" ? statusCode : undefined;
}
