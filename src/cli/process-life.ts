import { messageOf, type Logger } from '../base/log.js';

export interface Life {
  readonly stop: () => Promise<void>;
  readonly log: Logger;
  /** What SIGHUP does. */
  readonly hangUp?: (() => Promise<unknown>) | undefined;
}

const brokenExitCode = 70;

/** SIGTERM and SIGINT stop in order, SIGHUP reloads, and an error that nobody expected ends the process at once. */
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
  process.on('SIGHUP', () => {
    hangUp?.().catch((thrown: unknown) => {
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
