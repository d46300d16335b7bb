@rem npm scripts begin with "exec", so that on POSIX no shell stands between npm and Node and signals arrive. Windows has no such word.
@%*
