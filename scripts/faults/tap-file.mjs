// Runs one test file outside of `npm test`, and takes the figures out of what it says.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const figureForm = /^ +# figure: (\{.*\})$/;

/**
 * @param file path from the root of the repository
 * @param options `env` on top of ours; `minutesMax`; `onLine` is told each line while it runs
 * @returns whether it passed, all its lines, and its figures
 */
export function runTapFile(file, { env = {}, minutesMax, onLine = () => undefined }) {
  const tap = join(root, 'node_modules', '.bin', 'tap');
  const options = ['--disable-coverage', '--reporter=tap', `--timeout=${Math.ceil(minutesMax * 60)}`];
  const child = spawn(tap, ['run', ...options, file], {
    cwd: root,
    env: { ...process.env, ...env, NO_COLOR: '1', npm_config_loglevel: 'error' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      lines.push(line);
      onLine(line);
    }
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      const figures = lines.map((line) => figureForm.exec(line)?.[1]).filter((text) => text !== undefined);
      resolve({ isFine: code === 0, lines, figures: figures.map((text) => JSON.parse(text)) });
    });
  });
}
