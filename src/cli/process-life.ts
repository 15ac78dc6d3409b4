import { messageOf, type Logger } from '../base/log.js';

export interface Life {
  readonly stop: () => Promise<void>;
  readonly log: Logger;
  /** What SIGHUP does; without it SIGHUP stops, as a terminal that is closed expects. */
  readonly hangUp?: (() => Promise<unknown>) | undefined;
}

const brokenExitCode = 70;

/** SIGTERM and SIGINT stop in order, SIGHUP reloads what can be reloaded, and an error that nobody expected ends the process at once. */
export function runUntilStopped({ stop, log, hangUp }: Life): void {
  const end = (): void => {
    stop().then(
      () => process.exit(0),
      (thrown: unknown) => {
        log.error('stop failed', { message: messageOf(thrown) });
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', end).once('SIGINT', end);
  if (hangUp === undefined) process.once('SIGHUP', end);
  else
    process.on('SIGHUP', () => {
      hangUp().catch((thrown: unknown) => {
        log.error('reload failed', { message: messageOf(thrown) });
      });
    });
  const broken = (thrown: unknown): void => {
    log.error('bug', {
      message: messageOf(thrown),
      where: thrown instanceof Error ? (thrown.stack?.split('\n')[1]?.trim() ?? '') : '',
    });
    process.exit(brokenExitCode); // the state is unknown: the supervisor starts a new process
  };
  process.on('uncaughtException', broken).on('unhandledRejection', broken);
}

/** Ends a process that could not start, whatever it still has open, once its problems are written. */
export function endFailedStart(problems: readonly string[]): void {
  process.stderr.write(problems.map((problem) => `${problem}\n`).join(''), () => process.exit(1));
}
