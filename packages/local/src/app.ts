import type { LocalOptions } from './options.ts';
import type { LocalRuntime } from './runtime.ts';

/** What the local runtime runs: everything of an application that the runtime cannot know. A module of the application exports one as `app`. */
export interface LocalApp {
  /** What people call it; the banner begins with it. */
  readonly name: string;
  /** The project's folder. Paths below are relative to it. */
  readonly root: string;
  /** Where assemblies are kept between starts. Default: `node_modules/.cache/outbox-saga` below the root. */
  readonly cacheFolder?: string;
  /** A module that exports `synth`. It is loaded in a thread of its own, which ends after the synth: CDK and esbuild need 200 MB. */
  readonly synthModule: string;
  /** Files and folders that a synth reads. Its result is used again while none of them has changed. */
  readonly synthInputs: readonly string[];
  /** Stages that run on a laptop; the first is the default. */
  readonly stages: readonly string[];
  /** Stage → why it does not run on a laptop. Default: none is known that does not. */
  readonly refusedStages?: Readonly<Record<string, string>>;
  /** Names of the functions: faults are set by them. */
  readonly functions: readonly string[];
  /** What whoever comes with a token is called: the option of `token` that names one. Default: `subject`. */
  readonly subjectName?: string;
  /** Scopes that `token` puts into a token unless told otherwise. Default: none. */
  readonly scopes?: readonly string[];
  /** For `--help`: `context` names keys of the CDK app's context, `faults` a setting or two. */
  readonly examples?: { readonly context?: string; readonly faults?: string };
  /** For `--watch`: where the functions' sources are, and the module that exports `bundle` (loaded only then). */
  readonly reload?: { readonly sources: string; readonly bundleModule: string };
  /** Lines of the banner between the address and what is emulated: what to try first. Default: none. */
  readonly firstSteps?: (facts: BannerFacts) => readonly string[];
  /** A log line of a function that a person wants to follow, in their words; undefined for all others. Default: only warnings and errors are told. */
  readonly tell?: (line: Readonly<Record<string, unknown>>) => string | undefined;
  /** What an aggregate is called in a line about a problem. Default: its id. */
  readonly aggregateName?: (id: string) => string;
}

/** What the lines of the banner may name. */
export interface BannerFacts {
  readonly url: string;
  readonly auth: LocalOptions['auth'];
  /** curl's options that prove to be a token's subject, and to be the operator; empty where nobody is asked. */
  readonly asSubject: string;
  readonly asOperator: string;
}

/** What a synth is asked for. */
export interface SynthRequest {
  readonly outdir: string;
  readonly stage: string;
  /** What the user gave by `--context`. */
  readonly context: Readonly<Record<string, string>>;
  /** `open`: nobody is asked who they are. `auth`: the template's authorizers are enforced. */
  readonly access: 'open' | 'auth';
  /** The local issuer of tokens, where there is one. An issuer that the user's context names goes before it. */
  readonly issuer?: { readonly url: string; readonly audience: string } | undefined;
}

/** What the module of a synth exports. @throws Error that says what is wrong, such as with the context */
export interface SynthModule {
  readonly synth: (request: SynthRequest) => void | Promise<void>;
}

/** What the module for `--watch` exports. @throws Error when a source cannot be bundled */
export interface BundleModule {
  /** Bundles all functions below a folder. @returns function → the folder with its code, as the template's asset would be */
  readonly bundle: (folder: string) => Readonly<Record<string, string>>;
  /** File name of the code inside a function's folder. */
  readonly bundleFile: string;
}

export type RunningFacts = Pick<LocalRuntime, 'url' | 'awsUrl' | 'services'>;
