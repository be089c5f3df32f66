package template

// apartFrom is from how many steps on a call is made apart: some milliseconds.
const apartFrom = 200_000

// apart makes a call of that many steps. A long one runs beside the render,
// which leaves it behind when the context ends: it was charged, so it has an
// end.
func (r *Run) apart(work int64, call func() (value, error)) (v value, err error) {
	if work < apartFrom {
		defer protect(&err)
		return call()
	}
	type outcome struct {
		v   value
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() { done <- o }()
		defer protect(&o.err)
		o.v, o.err = call()
	}()
	select {
	case o := <-done:
		return o.v, o.err
	case <-r.account.Context().Done():
		r.exceeded(r.account.Err())
		return value{}, nil
	}
}

// slow makes the calls of a function that makes keys and slow hashes apart, and
// counts them.
func slow(call impl) impl {
	return func(r *Run, a []value) (value, error) {
		args := append([]value(nil), a...)
		return r.apartKey(func() (value, error) { return call(nil, args) })
	}
}

// apartKey makes a call that makes a key or a slow hash apart, and counts it.
func (r *Run) apartKey(call func() (value, error)) (value, error) {
	if err := r.account.Key(); err != nil {
		r.exceeded(err)
	}
	return r.apart(apartFrom, call)
}

// slowFunctions make keys and slow hashes.
var slowFunctions = []string{
	"genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert",
	"genSignedCertWithKey", "bcrypt", "htpasswd", "derivePassword", "buildCustomCert",
}

// keyCosts are functions of keys, hashes and random texts.
func keyCosts() map[string]cost {
	table := map[string]cost{
		"randBytes": func(r *Run, a []value) price {
			n := int64(max(0, take[int](a[0])))
			return price{result: times(n, 2), scratch: times(n, 3), work: n / 8}
		},
		"derivePassword": func(r *Run, a []value) price {
			p := keyCost(r, a)
			p.transient = 33 << 20 // scrypt's
			return p
		},
	}
	for _, name := range slowFunctions {
		if table[name] == nil {
			table[name] = keyCost
		}
	}
	for _, name := range []string{"randAlphaNum", "randAlpha", "randAscii", "randNumeric"} {
		table[name] = func(r *Run, a []value) price {
			n := int64(max(0, take[int](a[0])))
			return price{result: n, scratch: times(n, 8), work: times(n, 16)}
		}
	}
	return table
}

// keyCost grows with the third power of the length of a key, as signing does.
func keyCost(r *Run, a []value) price {
	p := price{scratch: 16 * r.taken(&shown, a).bytes}
	for i := range a {
		n := int64(len(textOf(a[i])))
		p.work += n + times(times(n, n), n)/100_000
	}
	return p
}
