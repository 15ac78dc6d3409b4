import t from 'tap';
import { markdownTable } from '../../src/cli/markdown.js';
import { showMatrix } from '../../src/cli/policy-matrix-show.js';
import type { Matrix } from '../../src/review/review.js';

// A mention notifies and an address becomes a link also behind a backslash; in a code span neither does.
const telling = [
  '@org/security',
  'curl/8 https://evil.example/x',
  'www.evil.example',
  '![x](//evil.example/x.png)',
  '<b>',
];

t.test('what strangers say of themselves, such as a user agent, stays text in a page', (t) => {
  for (const text of telling) {
    t.equal(markdownTable(['a'], [[text]]).split('\n')[2], `| \`${text}\` |`);
  }
  t.equal(markdownTable(['a'], [['a`b|@c']]).split('\n')[2], '| ``a`b\\|@c`` |', 'no backtick and no bar ends it');
  t.equal(markdownTable(['a'], [['would_deny']]).split('\n')[2], '| would\\_deny |', 'plain words stay words');
  t.end();
});

t.test('the revision of a bundle is text too', (t) => {
  const matrix: Matrix = {
    revision: '![x](//evil.example/x.png)@org',
    spaces: ['a'],
    callers: [],
    actions: [],
    cells: [],
  };
  t.match(showMatrix(matrix, 'markdown'), /^`policy !\[x\]\(\/\/evil\.example\/x\.png\)@org; [^`]*`\n/);
  t.end();
});
