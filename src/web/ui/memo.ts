import { Component, createElement, type ComponentChild, type FunctionComponent } from 'preact';

/**
 * Renders a component again only when one of its props changes, so that a new row does not render hundreds of
 * others.
 */
export function memo<P extends object>(Render: FunctionComponent<P>): new (props: P) => Component<P> {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const now = this.props as P;
      return (Object.keys(next) as (keyof P)[]).some((name) => next[name] !== now[name]);
    }

    override render(): ComponentChild {
      return createElement(Render, this.props as P);
    }
  };
}
