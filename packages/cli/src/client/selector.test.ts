import { describe, expect, it } from '@jest/globals';
import { aDeadLetter, aTask } from './testing/fake-control-api.ts';
import { parseSelector, selectorMatcher, serverPart } from './selector.ts';

const tasks = [
  aTask(1),
  aTask(2, { state: 'running', trigger: 'swept' }),
  aDeadLetter(3, { projectPath: 'Shop/web' }),
  aTask(4, { projectPath: 'other/api', subject: { forge: 'github', projectId: '9', iid: 4 } }),
];
const selected = (text: string) => tasks.filter(selectorMatcher(parseSelector(text))).map(({ subject }) => subject.iid);

describe('parseSelector', () => {
  it.each([
    ['', [1, 2, 3, 4]],
    ['state=dead', [3]],
    ['state!=dead', [1, 2, 4]],
    ['state in (dead, running)', [2, 3]],
    ['trigger notin (pushed)', [2]],
    ['forge==github', [4]],
    ['project=shop/*', [1, 2, 3]],
    ['project!=shop/*,state=waiting', [4]],
    ['project=gitlab:42', [1, 2, 3]],
    ['kind=review,project in (other/*,shop/web)', [3, 4]],
  ])('%s', (text, iids) => {
    expect(selected(text)).toEqual(iids);
  });

  it.each([
    ['stat=dead', /no "stat" here: it knows state, forge, project, kind, trigger/],
    ['state=gone', /never "gone": it is one of waiting/],
    ['state', /no condition/],
    ['state=', /no value/],
    ['state in dead', /no condition/],
  ])('refuses %s', (text, message) => {
    expect(() => parseSelector(text)).toThrow(message);
  });

  it('asks the server for what it can be asked', () => {
    expect(serverPart(parseSelector('state in (dead,done),forge=gitlab,project=shop/*'))).toEqual({
      states: ['done', 'dead'],
      forge: 'gitlab',
      project: 'shop/*',
      isWhole: true,
    });
    expect(serverPart(parseSelector('forge!=gitlab,trigger=pushed'))).toMatchObject({ forge: null, isWhole: false });
  });
});
