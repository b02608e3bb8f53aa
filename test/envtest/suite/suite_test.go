// A controller-runtime suite without CRDs, as its authors write them, on the launchers of `barque envtest`.
// Run by .ci/envtest; not part of the tests of the repository, which need no Go.
package suite

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// copier makes a Secret of each ConfigMap labelled copy=true, owned by it.
type copier struct{ client.Client }

func (c *copier) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var source corev1.ConfigMap
	if err := c.Get(ctx, req.NamespacedName, &source); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if source.Labels["copy"] != "true" {
		return ctrl.Result{}, nil
	}
	target := corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: source.Namespace, Name: source.Name}}
	_, err := ctrl.CreateOrUpdate(ctx, c.Client, &target, func() error {
		target.StringData = source.Data
		return ctrl.SetControllerReference(&source, &target, c.Scheme())
	})
	return ctrl.Result{}, err
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

func TestReconciler(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	environment := &envtest.Environment{}
	began := time.Now()
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("control plane: %v", err)
	}
	t.Logf("control plane started in %v", time.Since(began))
	t.Cleanup(func() {
		cancel()
		if err := environment.Stop(); err != nil {
			t.Errorf("control plane did not stop: %v", err)
		}
	})

	manager, err := ctrl.NewManager(config, ctrl.Options{Metrics: server.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	err = ctrl.NewControllerManagedBy(manager).For(&corev1.ConfigMap{}).Owns(&corev1.Secret{}).
		Complete(&copier{manager.GetClient()})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := manager.Start(ctx); err != nil {
			t.Errorf("manager: %v", err)
		}
	}()

	direct, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	namespace := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "suite-"}}
	if err := direct.Create(ctx, &namespace); err != nil {
		t.Fatal(err)
	}
	source := corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "a", Labels: map[string]string{"copy": "true"}},
		Data:       map[string]string{"k": "1"},
	}
	if err := direct.Create(ctx, &source); err != nil {
		t.Fatal(err)
	}
	var copied corev1.Secret
	has := func(value string) func() bool {
		return func() bool {
			err := direct.Get(ctx, client.ObjectKeyFromObject(&source), &copied)
			return err == nil && string(copied.Data["k"]) == value
		}
	}
	eventually(t, "the copy is made", has("1"))
	if !metav1.IsControlledBy(&copied, &source) {
		t.Fatal("the copy is not controlled by its source")
	}
	source.Data["k"] = "2"
	if err := direct.Update(ctx, &source); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the copy follows", has("2"))
	if err := direct.Delete(ctx, &copied); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deleted copy comes back", has("2"))

	// envtest's users get clients of their own by certificate.
	user, err := environment.AddUser(envtest.User{Name: "somebody"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := client.New(user.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.Get(ctx, client.ObjectKeyFromObject(&source), &copied); !apierrors.IsForbidden(err) {
		t.Fatalf("a user without rights got %v", err)
	}
}
